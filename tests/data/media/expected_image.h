#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "data/formats/safetensors.h"
#include "data/media/image.h"

namespace dualpath::data {

inline const std::filesystem::path kImages = "build/reference/images";

/// A picture of tests/reference/images.py (or of another script's folder), as Pillow has it.
inline Image expected_image(const std::string& name,
                            const std::filesystem::path& folder = kImages) {
  const SafetensorsReader reader(folder / "expected.safetensors");
  const TensorView view = reader.tensor(name);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(view.bytes.data());
  return {static_cast<int>(view.shape[1]),
          static_cast<int>(view.shape[0]),
          {bytes, bytes + view.bytes.size()}};
}

/// The largest difference of two bytes; 256 if the sizes differ.
inline int largest_difference(const Image& a, const Image& b) {
  if (a.width != b.width || a.height != b.height) return 256;
  int largest = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i)
    largest = std::max(largest, std::abs(a.rgb[i] - b.rgb[i]));
  return largest;
}

}  // namespace dualpath::data
