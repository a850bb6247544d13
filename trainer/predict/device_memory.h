#pragma once

#include <torch/types.h>

#include <cstdint>
#include <optional>

namespace dualpath::trainer {

/// The most memory that tensors have held on a device at a time, by torch's own count, since the
/// last restart or the process's begin. Nothing for the CPU, whose memory torch does not count.
std::optional<std::int64_t> peak_device_bytes(at::Device device);

/// Begins the count again from what tensors hold now, and returns that.
std::optional<std::int64_t> restart_peak_device_bytes(at::Device device);

}  // namespace dualpath::trainer
