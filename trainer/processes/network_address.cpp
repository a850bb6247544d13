#include "trainer/processes/network_address.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "data/base/error.h"

namespace dualpath::trainer {
namespace {

bool is_loopback(const std::string& address) {
  return address.starts_with("127.") || address == "::1";
}

struct Socket {
  int descriptor;
  ~Socket() { ::close(descriptor); }
};

std::string numeric(const sockaddr* address, socklen_t size) {
  std::array<char, NI_MAXHOST> text{};
  if (::getnameinfo(address, size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0)
    return "";
  return text.data();
}

}  // namespace

NetworkWay way_to(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), "9", &hints, &found) != 0) return {};
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> freed(found, ::freeaddrinfo);
  const Socket socket{::socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  sockaddr_storage own{};
  auto* const from = reinterpret_cast<sockaddr*>(&own);
  socklen_t size = sizeof own;
  // Connecting a datagram socket sends nothing: the kernel picks the way.
  if (::connect(socket.descriptor, found->ai_addr, found->ai_addrlen) != 0 ||
      ::getsockname(socket.descriptor, from, &size) != 0)
    return {};
  return {numeric(from, size), numeric(found->ai_addr, found->ai_addrlen)};
}

std::string address_among(std::span<const NetworkWay> ways, int rank, bool one_machine) {
  if (one_machine) return "127.0.0.1";
  const NetworkWay& own = ways[static_cast<std::size_t>(rank)];
  if (!own.from.empty() && !is_loopback(own.from)) return own.from;
  if (!own.from.empty()) {
    for (const NetworkWay& other : ways) {
      if (!other.to.empty() && !is_loopback(other.to)) return other.to;
    }
  }
  throw Error(
      "process {}: this machine's address on the way to the store is {}, where other machines do "
      "not "
      "reach it; set GLOO_SOCKET_IFNAME to the name of the network's interface (`ip -brief "
      "address` "
      "lists them)",
      rank, own.from.empty() ? "unknown" : own.from);
}

}  // namespace dualpath::trainer
