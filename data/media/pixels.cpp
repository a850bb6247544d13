#include <algorithm>
#include <cstddef>

#include "data/base/error.h"
#include "data/media/decoders.h"

namespace dualpath::data {
namespace {

void check_image_size(const std::string& name, std::uint64_t width, std::uint64_t height) {
  if (std::min(width, height) < 1 || std::max(width, height) > kMaxSide ||
      width * height > std::uint64_t{kMaxPixels})
    throw Error("{}: expected sides of 1 to {} and at most {} pixels, got {} x {}", name, kMaxSide,
                kMaxPixels, width, height);
}

/// One byte of a color with that alpha over white.
std::uint8_t over_white(std::uint8_t color, std::uint8_t alpha) {
  return static_cast<std::uint8_t>((color * alpha + 255 * (255 - alpha) + 127) / 255);
}

}  // namespace

Image blank_image(const std::string& name, std::uint64_t width, std::uint64_t height) {
  check_image_size(name, width, height);
  return {static_cast<int>(width), static_cast<int>(height),
          std::vector<std::uint8_t>(3 * width * height)};
}

void composite_on_white(const std::vector<std::uint8_t>& rgba, Image& image) {
  for (std::size_t i = 0; i < image.rgb.size(); ++i)
    image.rgb[i] = over_white(rgba[i / 3 * 4 + i % 3], rgba[i / 3 * 4 + 3]);
}

}  // namespace dualpath::data
