#include "data/process/stack.h"

#include <pthread.h>
#include <sys/resource.h>

#include <thread>

namespace dualpath {

int run_with_usual_stack(const std::function<int()>& work) {
  constexpr std::size_t kBytes = std::size_t{8} << 20;
  rlimit limit{};
  if (::getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur >= kBytes) return work();
  // The limit is the main thread's, and the default of other threads.
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kBytes);
  pthread_setattr_default_np(&attributes);
  pthread_attr_destroy(&attributes);
  int result = 0;
  std::thread([&] { result = work(); }).join();
  return result;
}

}  // namespace dualpath
