#pragma once

#include <cstddef>

namespace dualpath {

/// A piece of a text: the bytes from `begin` to before `end`.
struct ByteRange {
  std::size_t begin = 0, end = 0;

  bool operator==(const ByteRange&) const = default;
};

}  // namespace dualpath
