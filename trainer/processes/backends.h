#pragma once

#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace dualpath::trainer {

/// c10d's process group for tensors on the CPU. from: this process's address, or the name of a
/// network interface.
c10::intrusive_ptr<c10d::Backend> gloo_backend(const c10::intrusive_ptr<c10d::Store>& store,
                                               int rank, int size, std::chrono::seconds timeout,
                                               const std::string& from, bool is_interface);

/// c10d's process group for tensors on CUDA. Only CUDA builds have it.
c10::intrusive_ptr<c10d::Backend> nccl_backend(const c10::intrusive_ptr<c10d::Store>& store,
                                               int rank, int size, std::chrono::seconds timeout);

}  // namespace dualpath::trainer
