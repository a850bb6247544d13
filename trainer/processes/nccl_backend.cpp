// Compiled in CUDA builds alone.

#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include <cstdlib>

#include "trainer/processes/backends.h"

namespace dualpath::trainer {

c10::intrusive_ptr<c10d::Backend> nccl_backend(const c10::intrusive_ptr<c10d::Store>& store,
                                               int rank, int size, std::chrono::seconds timeout) {
  // Waiting throws when another process is gone; else the watchdog would abort without a name.
  ::setenv("TORCH_NCCL_BLOCKING_WAIT", "1", /*replace=*/0);
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = timeout;
  return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, rank, size, options);
}

}  // namespace dualpath::trainer
