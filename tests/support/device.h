#pragma once

#include <torch/cuda.h>

#include <vector>

#include "tests/support/catch.h"

namespace dualpath::testing {

/// The devices for tests of kernels: the CPU, and a GPU if there is one. Says once that there is
/// none.
inline std::vector<at::Device> devices() {
  static const bool cuda = torch::cuda::is_available();
  if (cuda) return {at::kCPU, at::Device(at::kCUDA, 0)};
  static const bool told = [] {
    WARN("SKIP: no CUDA device");
    return true;
  }();
  static_cast<void>(told);
  return {at::kCPU};
}

}  // namespace dualpath::testing
