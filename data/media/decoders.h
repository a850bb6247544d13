#pragma once

#include <cstdint>
#include <string>

#include "data/media/image.h"

namespace dualpath::data {

// Each decodes the whole content of a file; `name` is what errors call it.
Image decode_jpeg(const std::string& bytes, const std::string& name);
Image decode_png(const std::string& bytes, const std::string& name);
Image decode_webp(const std::string& bytes, const std::string& name);

/// Error if a picture of that size is more than read_image() takes.
void check_image_size(const std::string& name, std::uint64_t width, std::uint64_t height);

/// A black image.
Image blank_image(const std::string& name, std::uint64_t width, std::uint64_t height);

/// One byte of a color with that alpha over white.
std::uint8_t over_white(std::uint8_t color, std::uint8_t alpha);

}  // namespace dualpath::data
