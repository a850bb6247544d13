#pragma once

#include "data/media/image.h"
#include "data/media/media_file.h"

namespace dualpath::data {

/// Reads a JPEG, PNG or WebP file, told apart by its first bytes, as RGB. JPEG is turned upright by
/// its EXIF orientation. Transparent pixels are composited on white; gray and palettes become RGB,
/// and 16 bits their upper 8. Color profiles and gamma are not applied. Errors name the file.
/// Refused are animations, CMYK, damaged files and files of more than 256 MiB. A picture of more
/// than 64 Mi pixels or 16384 pixels a side is refused before any memory is taken for it.
Image read_image(const MediaFile& file);

}  // namespace dualpath::data
