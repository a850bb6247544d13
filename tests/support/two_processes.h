#pragma once

#include <ATen/Parallel.h>

#include <chrono>
#include <stdexcept>

#include "tests/support/child_process.h"
#include "tests/support/free_port.h"
#include "trainer/processes/processes.h"

namespace dualpath::testing {

/// A check inside a child, where Catch2 cannot report: a failure makes the child throw.
inline void require(bool holds) {
  if (!holds) throw std::runtime_error("a check failed");
}

struct TwoEnds {
  ChildEnd first, second;
};

/// Runs body(processes) in two child processes that meet; each exits with what it returns.
template <class Body>
TwoEnds in_two_processes(const Body& body) {
  const int port = free_port();
  const auto rank = [&](int own) {
    at::set_num_threads(1);  // OpenMP's threads do not come along
    trainer::Rendezvous meeting;
    meeting.rank = meeting.local_rank = own;
    meeting.size = meeting.local_size = 2;
    meeting.address = "127.0.0.1";
    meeting.port = static_cast<std::uint16_t>(port);
    trainer::Processes processes(meeting, std::chrono::seconds(60));
    return body(processes);
  };
  const pid_t first = start_child([&] { return rank(0); }),
              second = start_child([&] { return rank(1); });
  return {wait_for_child(first), wait_for_child(second)};
}

}  // namespace dualpath::testing
