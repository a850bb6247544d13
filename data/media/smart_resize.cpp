#include "data/media/smart_resize.h"

#include <algorithm>
#include <cmath>

#include "data/base/error.h"
#include "data/media/image.h"

namespace dualpath::data {
namespace {

constexpr double kMaxRatio = 200;

/// Numbers of pixels, not always whole.
struct Sides {
  double height, width;
};

/// The image, grown until its shorter side has the factor's length. Sides are cut to whole pixels.
Sides grown_to(double factor, Sides image) {
  if (image.height >= factor && image.width >= factor) return image;
  const double scale = std::max(factor / image.height, factor / image.width);
  return {std::trunc(image.height * scale), std::trunc(image.width * scale)};
}

void check_sides(ImageSize image) {
  if (std::min(image.height, image.width) < 1 || std::max(image.height, image.width) > kMaxSide)
    throw Error("image of {} x {} pixels: expected sides of 1 to {}", image.width, image.height,
                kMaxSide);
}

void check_ratio(ImageSize image, Sides sides) {
  const double ratio = std::max(sides.height, sides.width) / std::min(sides.height, sides.width);
  if (ratio > kMaxRatio)
    throw Error("image of {} x {} pixels: expected one side at most {} times the other, got {:.6g}",
                image.width, image.height, kMaxRatio, ratio);
}

Sides within(const SizeLimits& limits, Sides sides) {
  const auto [height, width] = sides;
  const double factor = limits.factor, frames = limits.frames;
  const auto min_pixels = static_cast<double>(limits.min_pixels);
  const auto max_pixels = static_cast<double>(limits.max_pixels);
  // Half to even, as Python's round().
  const Sides nearest{std::nearbyint(height / factor) * factor,
                      std::nearbyint(width / factor) * factor};
  const double pixels = frames * nearest.height * nearest.width;
  if (pixels > max_pixels) {
    const double shrink = std::sqrt(frames * height * width / max_pixels);
    return {std::max(factor, std::floor(height / shrink / factor) * factor),
            std::max(factor, std::floor(width / shrink / factor) * factor)};
  }
  if (pixels < min_pixels) {
    const double grow = std::sqrt(min_pixels / (frames * height * width));
    return {std::ceil(height * grow / factor) * factor, std::ceil(width * grow / factor) * factor};
  }
  return nearest;
}

}  // namespace

ImageSize smart_resize(ImageSize image, const SizeLimits& limits) {
  check_sides(image);
  const Sides whole = grown_to(
      limits.factor, {static_cast<double>(image.height), static_cast<double>(image.width)});
  check_ratio(image, whole);
  const auto [height, width] = within(limits, whole);
  if (std::max(height, width) > kMaxSide ||
      limits.frames * height * width > static_cast<double>(kMaxPixels))
    throw Error(
        "image of {} x {} pixels: expected to make sides of at most {} and {} pixels of it, "
        "got {} frames of {} x {}",
        image.width, image.height, kMaxSide, kMaxPixels, limits.frames, width, height);
  return {static_cast<int>(height), static_cast<int>(width)};
}

}  // namespace dualpath::data
