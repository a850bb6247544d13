#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/media/image.h"

namespace dualpath::data {

// Each decodes the whole content of a file; `name` is what errors call it.
Image decode_jpeg(const std::string& bytes, const std::string& name);
Image decode_png(const std::string& bytes, const std::string& name);
Image decode_webp(const std::string& bytes, const std::string& name);

/// A black image. Error if a picture of that size is more than read_image() takes.
Image blank_image(const std::string& name, std::uint64_t width, std::uint64_t height);

/// rgba: [height, width, 4], composited on white into an image of that size.
void composite_on_white(const std::vector<std::uint8_t>& rgba, Image& image);

}  // namespace dualpath::data
