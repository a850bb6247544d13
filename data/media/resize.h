#pragma once

#include "data/media/image.h"

namespace dualpath::data {

enum class Resample { kBilinear, kBicubic };

/// The library whose resize is followed. The two differ by 1 of 255 at many pixels, and by more
/// where bicubic overshoots.
enum class ImageBackend {
  kPillow,       ///< weights of 22 bits' fraction; columns first if the height shrinks by more than
                 ///< twice the pixels that the width does
  kTorchvision,  ///< weights of 16 bits; rows first
};

/// Resizes with the bits of Pillow 13 or torchvision 0.26 (on uint8 tensors, antialias). The filter
/// widens when shrinking (antialiasing), and each pass rounds to 8 bits. A side below 1 or above
/// kMaxSide is an Error.
Image resize(const Image& image, int width, int height, Resample resample,
             ImageBackend backend = ImageBackend::kPillow);

}  // namespace dualpath::data
