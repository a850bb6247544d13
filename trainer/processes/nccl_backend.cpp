// Compiled in CUDA builds alone.

#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include "trainer/processes/backends.h"

namespace dualpath::trainer {

c10::intrusive_ptr<c10d::Backend> nccl_backend(const c10::intrusive_ptr<c10d::Store>& store,
                                               int rank, int size, std::chrono::seconds timeout) {
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = timeout;
  return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, rank, size, options);
}

}  // namespace dualpath::trainer
