#pragma once

#include "data/media/image.h"

namespace dualpath::data {

enum class Resample { kBilinear, kBicubic };

/// Resizes with the arithmetic of Pillow: the filter widens when shrinking (antialiasing), rows
/// come before columns, and each pass rounds to 8 bits. Pillow 13 takes columns first at some
/// sizes, and those differ (tests/data/media/resize_test.cpp has how much); the others are equal to
/// the bit. A side below 1 or above kMaxSide is an Error.
Image resize(const Image& image, int width, int height, Resample resample);

/// The longest side, in pixels, of what resize() takes and makes.
inline constexpr int kMaxSide = 16384;

}  // namespace dualpath::data
