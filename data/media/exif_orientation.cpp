#include "data/media/exif_orientation.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

namespace dualpath::data {
namespace {

constexpr unsigned kOrientation = 0x0112;
constexpr unsigned kShort = 3;
constexpr std::size_t kEntry = 12;

/// Numbers of a TIFF file; 0 beyond its end.
class Tiff {
 public:
  explicit Tiff(std::span<const unsigned char> bytes)
      : bytes_(bytes), little_(bytes.size() > 1 && bytes[0] == 'I') {}

  std::size_t number(std::size_t at, std::size_t size) const {
    if (at > bytes_.size() || size > bytes_.size() - at) return 0;
    std::size_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
      value = value << 8 | bytes_[at + (little_ ? size - 1 - i : i)];
    return value;
  }

  bool is_tiff() const { return number(2, 2) == 42; }

 private:
  std::span<const unsigned char> bytes_;
  bool little_;
};

}  // namespace

int exif_orientation(std::span<const unsigned char> segment) {
  constexpr std::size_t kMark = 6;
  if (segment.size() < kMark || std::memcmp(segment.data(), "Exif\0\0", kMark) != 0) return 1;
  const Tiff tiff(segment.subspan(kMark));
  if (!tiff.is_tiff()) return 1;
  const std::size_t directory = tiff.number(4, 4);
  const std::size_t entries = tiff.number(directory, 2);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + i * kEntry;
    if (tiff.number(entry, 2) != kOrientation || tiff.number(entry + 2, 2) != kShort) continue;
    const std::size_t value = tiff.number(entry + 8, 2);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Image upright(Image image, int orientation) {
  if (orientation == 1) return image;
  const bool transposed = orientation >= 5;
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Image result{transposed ? image.height : image.width, transposed ? image.width : image.height,
               std::vector<std::uint8_t>(image.rgb.size())};
  std::uint8_t* out = result.rgb.data();
  for (int y = 0; y < result.height; ++y)
    for (int x = 0; x < result.width; ++x, out += 3) {
      int from_x = transposed ? y : x;
      int from_y = transposed ? x : y;
      if (from_right) from_x = image.width - 1 - from_x;
      if (from_bottom) from_y = image.height - 1 - from_y;
      std::copy_n(&image.rgb[(std::size_t(from_y) * image.width + from_x) * 3], 3, out);
    }
  return result;
}

}  // namespace dualpath::data
