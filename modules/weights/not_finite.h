#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>

namespace dualpath::modules {

/// If count is not 0, throws the Error "<what>: <count> of <numel> values are not finite in float16
/// (model.dtype)". Adds what float16 can hold if that may be the reason.
void refuse_not_finite(const std::string& what, std::int64_t count, std::int64_t numel,
                       at::ScalarType dtype);

/// The number of values that are not finite: int64, a scalar on their device.
at::Tensor not_finite_sum(const at::Tensor& values);

/// Throws refuse_not_finite()'s Error unless all values are finite. On a device other than the CPU
/// it may come when the stage ends (see device_counts.h).
void require_finite(const std::string& what, const at::Tensor& values);

/// Returns the weight in another dtype. An Error names it if the file's values are not finite, or
/// the dtype, model.dtype, cannot hold them.
at::Tensor finite_weight(const std::string& name, const at::Tensor& stored, at::ScalarType dtype);

}  // namespace dualpath::modules
