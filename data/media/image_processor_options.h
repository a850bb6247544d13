#pragma once

#include <array>
#include <cstdint>

#include "data/formats/json.h"
#include "data/media/resize.h"
#include "data/media/smart_resize.h"

namespace dualpath::data {

/// The order of prepared values.
enum class ImageLayout {
  kPlanes,   ///< [3, height, width]
  kPatches,  ///< [patches, 3 * temporal_patch_size * patch_size * patch_size]
};

/// The preparation of an image that a vision model asks for, under the names of Hugging Face's
/// image processors. The defaults are ViT's.
struct ImageProcessorOptions {
  ImageLayout layout = ImageLayout::kPlanes;
  /// The library whose arithmetic is followed. transformers itself takes torchvision's if that is
  /// installed.
  ImageBackend backend = ImageBackend::kTorchvision;
  bool do_resize = true;
  Resample resample = Resample::kBilinear;
  ImageSize size{224, 224};  ///< the size of planes
  SizeLimits limits;         ///< the limits of patches; their factor is patch_size * merge_size
  int patch_size = 14;       ///< pixels of a patch's side
  int merge_size = 2;        ///< patches lie in blocks of so many rows and columns, row by row
  bool do_rescale = true;
  double rescale_factor = 1.0 / 255.0;
  bool do_normalize = true;
  std::array<double, 3> image_mean{0.5, 0.5, 0.5};
  std::array<double, 3> image_std{0.5, 0.5, 0.5};

  /// Frames that an image is repeated to, for a model that takes clips.
  int temporal_patch_size() const { return limits.frames; }

  static ImageProcessorOptions glm4v();
  /// Reads a preprocessor_config.json of image_processor_type ViTImageProcessor or
  /// Glm4vImageProcessor, with "Fast" behind it or not. Other types, cropping, padding, other
  /// filters than bilinear and bicubic and numbers out of range are an Error.
  static ImageProcessorOptions from_json(const JsonObject& config);

  bool operator==(const ImageProcessorOptions&) const = default;
};

}  // namespace dualpath::data
