#pragma once

#include <filesystem>

#include "data/media/image.h"

namespace dualpath::data {

/// A JPEG, PNG or WebP file, told apart by its first bytes, as RGB. JPEG is turned upright as its
/// EXIF orientation says; transparent pixels are composited on white; gray and palettes become RGB,
/// and 16 bits their upper 8. Color profiles and gamma are not applied. An animation, CMYK, a
/// file of more than 256 MiB, a picture of more than 64 Mi pixels or 16384 pixels a side (decided
/// before any memory is taken for it), or a damaged file is an Error that names the file.
Image read_image(const std::filesystem::path& path);

}  // namespace dualpath::data
