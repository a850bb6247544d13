#pragma once

#include <cstdint>

namespace dualpath::data {

struct ImageSize {
  int height = 0;
  int width = 0;

  bool operator==(const ImageSize&) const = default;
};

/// Limits of an image's new size where its own shape decides.
struct SizeLimits {
  int factor = 28;  ///< divides both sides, and is the least number of pixels of each
  int frames = 2;   ///< an image counts as this many
  std::int64_t min_pixels = 112 * 112;        ///< of all frames
  std::int64_t max_pixels = 28 * 28 * 15000;  ///< of all frames

  bool operator==(const SizeLimits&) const = default;
};

/// The size within the limits nearest to the image's own, its shape kept as far as the factor
/// allows: smart_resize of Hugging Face's Glm4vImageProcessor. An image more than 200 times as long
/// as wide, or one that needs more than kMaxSide or kMaxPixels, is an Error.
ImageSize smart_resize(ImageSize image, const SizeLimits& limits);

}  // namespace dualpath::data
