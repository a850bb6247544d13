#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>

namespace dualpath::modules {

/// Throws the Error "<what>: n of m values are not finite in float16 (model.dtype)", with what
/// float16 can hold where that may be the reason. count: how many of the values' own kind and
/// number are not finite.
[[noreturn]] void throw_not_finite(const std::string& what, std::int64_t count,
                                   const at::Tensor& values);

/// Throws it unless all values are finite.
void require_finite(const std::string& what, const at::Tensor& values);

/// The weight in another dtype. An Error names it where the file's values are not finite, or the
/// dtype, model.dtype, cannot hold them.
at::Tensor finite_weight(const std::string& name, const at::Tensor& stored, at::ScalarType dtype);

}  // namespace dualpath::modules
