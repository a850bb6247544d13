// The one file that sees Gloo's types.

#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include "trainer/processes/backends.h"

namespace dualpath::trainer {

c10::intrusive_ptr<c10d::Backend> gloo_backend(const c10::intrusive_ptr<c10d::Store>& store,
                                               int rank, int size, std::chrono::seconds timeout,
                                               const std::string& from, bool is_interface) {
  using c10d::ProcessGroupGloo;
  auto options = ProcessGroupGloo::Options::create(timeout);
  options->devices = {is_interface ? ProcessGroupGloo::createDeviceForInterface(from)
                                   : ProcessGroupGloo::createDeviceForHostname(from)};
  return c10::make_intrusive<ProcessGroupGloo>(store, rank, size, options);
}

}  // namespace dualpath::trainer
