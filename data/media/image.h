#pragma once

#include <cstdint>
#include <vector>

namespace dualpath::data {

/// Limits of the pictures that we read, resize or prepare: the longer side, and all pixels.
inline constexpr int kMaxSide = 16384;
inline constexpr std::int64_t kMaxPixels = std::int64_t{64} << 20;

/// An 8-bit RGB image, rows from the top. rgb: [height, width, 3].
struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgb;
};

/// Rows and columns of pixels or patches.
struct ImageGrid {
  std::int64_t rows = 0;
  std::int64_t columns = 0;

  bool operator==(const ImageGrid&) const = default;
};

}  // namespace dualpath::data
