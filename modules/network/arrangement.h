#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

namespace dualpath::modules {

// Ways to rearrange a tensor's elements, none changed. Dimensions may be counted from the end.

/// Makes dimensions `first` to `last` one.
struct Flatten {
  static constexpr std::string_view kName = "flatten";
  std::int64_t first = 0, last = -1;
};

/// Makes dimension `dim` several. One of the sizes may be -1 and takes what remains.
struct Unflatten {
  static constexpr std::string_view kName = "unflatten";
  std::int64_t dim = 0;
  std::vector<std::int64_t> sizes = {};
};

/// Puts dimension dims[i] in place i.
struct Permute {
  static constexpr std::string_view kName = "permute";
  std::vector<std::int64_t> dims = {};
};

/// Takes `length` elements of dimension `dim` from `start` on.
struct Slice {
  static constexpr std::string_view kName = "slice";
  std::int64_t dim = 0, start = 0, length = 0;
};

/// Repeats dimensions of size 1. A size of -1 stays.
struct Expand {
  static constexpr std::string_view kName = "expand";
  std::vector<std::int64_t> sizes = {};
};

/// Puts zeros around: so many before and behind the last dimension, then the one before it, ...
struct Pad {
  static constexpr std::string_view kName = "pad";
  std::vector<std::int64_t> amounts = {};
};

using Arrangement = std::variant<Flatten, Unflatten, Permute, Slice, Expand, Pad>;

/// Returns a view of x if there can be one. Pad copies, and so does Flatten of strided elements.
at::Tensor arranged(const Arrangement& arrangement, const at::Tensor& x);

}  // namespace dualpath::modules
