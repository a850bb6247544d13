#pragma once

#include "data/media/image.h"

namespace dualpath::data {

enum class Resample { kBilinear, kBicubic };

/// Resizes as Pillow 13 does, to the bit: the filter widens when shrinking (antialiasing), and each
/// pass rounds to 8 bits. The pass along the rows comes first, unless the height shrinks by more
/// than twice the pixels that the width does. A side below 1 or above kMaxSide is an Error.
Image resize(const Image& image, int width, int height, Resample resample);

/// The longest side, in pixels, of what resize() takes and makes.
inline constexpr int kMaxSide = 16384;

}  // namespace dualpath::data
