#pragma once

#include <span>

#include "data/media/image.h"

namespace dualpath::data {

/// The orientation, 1 to 8, that an APP1 segment of JPEG says ("Exif\0\0" and a TIFF header with
/// its first directory); 1 if it says none or is damaged.
int exif_orientation(std::span<const unsigned char> segment);

/// Turns and mirrors the image so that it is upright. orientation: 1 to 8.
Image upright(Image image, int orientation);

}  // namespace dualpath::data
