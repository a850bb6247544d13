#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "data/formats/json.h"
#include "data/media/image.h"
#include "data/media/image_processor_options.h"

namespace dualpath::data {

/// A vision model's input for an image. ImageLayout says how `values` lie.
struct PreparedImage {
  ImageGrid grid;
  std::vector<float> values;
};

/// Resizes an image, rescales and normalizes its pixels, and lays them out, as Hugging Face's image
/// processors do. Safe to use from several threads.
class ImageProcessor {
 public:
  explicit ImageProcessor(const ImageProcessorOptions& options);
  /// Makes a processor from its configuration, see ImageProcessorOptions::from_json().
  static ImageProcessor from_json(const JsonObject& config);

  /// Prepares an image. An image that no allowed size fits is an Error. Takes at most 12 bytes for
  /// each of kMaxPixels, and the resized image.
  PreparedImage operator()(const Image& image) const;
  /// The grid of an image of that size in pixels; the Error is the same.
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
