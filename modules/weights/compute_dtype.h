#pragma once

#include <c10/core/ScalarType.h>

#include "data/base/named.h"

namespace dualpath::modules {

/// The dtypes that a network can compute in, under Hugging Face's names.
inline constexpr Named<at::ScalarType> kComputeDtypes[] = {
    {"bfloat16", at::kBFloat16}, {"float16", at::kHalf}, {"float32", at::kFloat}};

}  // namespace dualpath::modules
