#pragma once

#include <cstdint>
#include <vector>

namespace dualpath::data {

/// An 8-bit RGB image, rows from the top. rgb: [height, width, 3].
struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgb;
};

}  // namespace dualpath::data
