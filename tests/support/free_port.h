#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

namespace dualpath::testing {

/// A socket bound to a port of the loopback that was free.
class BoundPort {
 public:
  BoundPort() : descriptor_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof any;
    auto* const address = reinterpret_cast<sockaddr*>(&any);
    if (::bind(descriptor_, address, size) != 0 ||
        ::getsockname(descriptor_, address, &size) != 0 || ::listen(descriptor_, 1) != 0)
      throw std::runtime_error("no free port");
    number_ = ntohs(any.sin_port);
  }
  ~BoundPort() { ::close(descriptor_); }
  BoundPort(const BoundPort&) = delete;
  BoundPort& operator=(const BoundPort&) = delete;

  int number() const { return number_; }

 private:
  int descriptor_, number_ = 0;
};

/// A port that is free now.
inline int free_port() { return BoundPort().number(); }

}  // namespace dualpath::testing
