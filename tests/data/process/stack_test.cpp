#include "data/process/stack.h"

#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <thread>

#include "tests/support/child_process.h"

using namespace dualpath;
using namespace dualpath::testing;

namespace {

/// Touches so much of the stack, and returns 7.
[[gnu::noinline]] int use_stack(std::size_t bytes) {
  volatile char page[4096];
  page[0] = static_cast<char>(bytes);
  if (bytes < sizeof(page)) return 7;
  return use_stack(bytes - sizeof(page)) + (page[0] - page[0]);
}

constexpr std::size_t kNeeded = std::size_t{4} << 20;

}  // namespace

TEST_CASE("work and its threads have the usual stack where the limit is small", "[base][stack]") {
  const ChildEnd end = in_child([] {
    const rlimit limit{128 << 10, 128 << 10};
    ::setrlimit(RLIMIT_STACK, &limit);
    return run_with_usual_stack([] {
      int in_thread = 0;
      std::thread([&] { in_thread = use_stack(kNeeded); }).join();
      return in_thread + use_stack(kNeeded);
    });
  });
  CHECK(end.signal == 0);
  CHECK(end.code == 14);
}

TEST_CASE("work stays in its thread where the stack is large enough", "[base][stack]") {
  const ChildEnd end = in_child([] {
    const rlimit limit{std::size_t{16} << 20, RLIM_INFINITY};
    ::setrlimit(RLIMIT_STACK, &limit);
    const std::thread::id here = std::this_thread::get_id();
    return run_with_usual_stack([&] { return std::this_thread::get_id() == here ? 5 : 6; });
  });
  CHECK(end.code == 5);
}
