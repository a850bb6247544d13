#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include "data/formats/element.h"

namespace dualpath::modules {

/// What kernels call a float dtype; another dtype is an error of the caller's.
inline data::Element element_of(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return data::Element::kFloat32;
    case at::kBFloat16:
      return data::Element::kBFloat16;
    case at::kHalf:
      return data::Element::kFloat16;
    default:
      TORCH_CHECK(false, "no kernel for ", c10::toString(type));
  }
}

}  // namespace dualpath::modules
