#include "data/media/picture_uri.h"

#include <png.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "data/base/error.h"
#include "data/media/resize.h"

namespace dualpath::data {
namespace {

/// Encodes bytes as base64 (RFC 4648).
std::string to_base64(const std::vector<std::uint8_t>& bytes) {
  constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t held = 0;
    for (std::size_t j = 0; j < 3; ++j) held = held << 8 | (j < count ? bytes[i + j] : 0u);
    for (std::size_t digit = 0; digit < 4; ++digit)
      text += digit <= count ? kLetters[held >> (18 - 6 * digit) & 63] : '=';
  }
  return text;
}

Image shrunk(const Image& image, int most) {
  const int longer = std::max(image.width, image.height);
  if (longer <= most) return image;
  const auto side = [&](int pixels) { return std::max(1, pixels * most / longer); };
  return resize(image, side(image.width), side(image.height), Resample::kBicubic);
}

std::vector<std::uint8_t> png_of(const Image& image) {
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(image.width);
  header.height = static_cast<png_uint_32>(image.height);
  header.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(header);
  std::vector<std::uint8_t> bytes(size);
  if (png_image_write_to_memory(&header, bytes.data(), &size, /*convert_to_8_bit=*/0,
                                image.rgb.data(), /*row_stride=*/0, nullptr) == 0)
    throw Error("a picture of {}x{} pixels cannot be written as PNG: {}", image.width, image.height,
                header.message);
  bytes.resize(size);
  return bytes;
}

}  // namespace

std::string picture_uri(const Image& image, int most) {
  return "data:image/png;base64," + to_base64(png_of(shrunk(image, most)));
}

}  // namespace dualpath::data
