#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "data/formats/json.h"
#include "data/media/image.h"
#include "data/media/image_processor_options.h"

namespace dualpath::data {

/// What a vision model takes for an image. values: as ImageLayout says.
struct PreparedImage {
  ImageGrid grid;
  std::vector<float> values;
};

/// Resizes an image, rescales and normalizes its pixels, and lays them out, as Hugging Face's image
/// processors do. Safe to use from several threads.
class ImageProcessor {
 public:
  explicit ImageProcessor(const ImageProcessorOptions& options);
  /// See ImageProcessorOptions::from_json().
  static ImageProcessor from_json(const JsonObject& config);

  /// Error if no size that is allowed fits the image. Takes at most 12 bytes for each of
  /// kMaxPixels, and the resized image.
  PreparedImage operator()(const Image& image) const;
  /// What it makes of an image of that size in pixels; Error as above.
  ImageGrid grid(int width, int height) const;
  const ImageProcessorOptions& options() const { return options_; }

 private:
  ImageSize resized(ImageSize image) const;
  void append_patch(const Image& image, int top, int left, std::vector<float>& values) const;
  std::vector<float> planes(const Image& image) const;
  std::vector<float> patches(const Image& image) const;

  ImageProcessorOptions options_;
  std::array<std::array<float, 256>, 3> levels_;  // a channel's byte, rescaled and normalized
};

}  // namespace dualpath::data
