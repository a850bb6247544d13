#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/media/image.h"

namespace dualpath::data {

// Each decodes the whole content of a file, which errors call `name`.
Image decode_jpeg(const std::string& bytes, const std::string& name);
Image decode_png(const std::string& bytes, const std::string& name);
Image decode_webp(const std::string& bytes, const std::string& name);

/// A black image. A size that read_image() does not take is an Error.
Image blank_image(const std::string& name, std::uint64_t width, std::uint64_t height);

/// Composites rgba [height, width, 4] on white into an image of that size.
void composite_on_white(const std::vector<std::uint8_t>& rgba, Image& image);

}  // namespace dualpath::data
