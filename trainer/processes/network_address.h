#pragma once

#include <span>
#include <string>

namespace dualpath::trainer {

/// The way from this machine to a host, as numeric addresses; empty if there is none.
struct NetworkWay {
  std::string from, to;
};
NetworkWay way_to(const std::string& host);

/// Picks the address from which a process talks to the others. ways: each process's way to the
/// store, in the order of ranks; one_machine: all processes are on one machine. Debian gives a
/// machine's own name the address 127.0.1.1, which others cannot reach. On the store's own machine
/// the address by which others reach it counts then. Without one it is an Error that names
/// GLOO_SOCKET_IFNAME.
std::string address_among(std::span<const NetworkWay> ways, int rank, bool one_machine);

}  // namespace dualpath::trainer
