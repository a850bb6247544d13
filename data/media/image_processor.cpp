#include "data/media/image_processor.h"

#include <cstddef>

#include "data/base/error.h"

namespace dualpath::data {
namespace {

/// Rescales and normalizes in numpy's steps, each rounded to float.
float level_on_pillow(int byte, int channel, const ImageProcessorOptions& o) {
  const auto x = static_cast<float>(o.do_rescale ? byte * o.rescale_factor : byte);
  if (!o.do_normalize) return x;
  return (x - static_cast<float>(o.image_mean[channel])) / static_cast<float>(o.image_std[channel]);
}

/// Normalizes in float. Mean and deviation are rescaled to the byte's scale, not the byte to
/// theirs.
float level_on_torchvision(int byte, int channel, const ImageProcessorOptions& o) {
  const auto x = static_cast<float>(byte);
  if (!o.do_normalize) return o.do_rescale ? x * static_cast<float>(o.rescale_factor) : x;
  const float scale = o.do_rescale ? static_cast<float>(1.0 / o.rescale_factor) : 1.0F;
  return (x - static_cast<float>(o.image_mean[channel]) * scale) /
         (static_cast<float>(o.image_std[channel]) * scale);
}

const std::uint8_t* pixel(const Image& image, int y, int x) {
  return image.rgb.data() + (std::size_t{3} * image.width * y + std::size_t{3} * x);
}

/// The image's own size, if patches can be made of it.
ImageSize unresized(ImageSize image, const SizeLimits& limits) {
  const int factor = limits.factor;
  if (image.height % factor != 0 || image.width % factor != 0)
    throw Error("image of {} x {} pixels: expected sides that {} divides, as do_resize is false",
                image.width, image.height, factor);
  if (std::int64_t{limits.frames} * image.height * image.width > kMaxPixels)
    throw Error("image of {} x {} pixels: expected at most {} in {} frames", image.width,
                image.height, kMaxPixels, limits.frames);
  return image;
}

}  // namespace

ImageProcessor::ImageProcessor(const ImageProcessorOptions& options) : options_(options) {
  const auto level =
      options.backend == ImageBackend::kPillow ? level_on_pillow : level_on_torchvision;
  for (int channel = 0; channel < 3; ++channel)
    for (int byte = 0; byte < 256; ++byte) levels_[channel][byte] = level(byte, channel, options);
}

ImageProcessor ImageProcessor::from_json(const JsonObject& config) {
  return ImageProcessor(ImageProcessorOptions::from_json(config));
}

ImageSize ImageProcessor::resized(ImageSize image) const {
  const bool patches = options_.layout == ImageLayout::kPatches;
  if (!options_.do_resize) return patches ? unresized(image, options_.limits) : image;
  return patches ? smart_resize(image, options_.limits) : options_.size;
}

ImageGrid ImageProcessor::grid(int width, int height) const {
  const ImageSize size = resized({height, width});
  const int side = options_.layout == ImageLayout::kPatches ? options_.patch_size : 1;
  return {size.height / side, size.width / side};
}

std::vector<float> ImageProcessor::planes(const Image& image) const {
  std::vector<float> values;
  values.reserve(image.rgb.size());
  for (std::size_t channel = 0; channel < 3; ++channel)
    for (std::size_t i = channel; i < image.rgb.size(); i += 3)
      values.push_back(levels_[channel][image.rgb[i]]);
  return values;
}

/// Appends a row of values: each channel's frames, which are equal, row by row.
void ImageProcessor::append_patch(const Image& image, int top, int left,
                                  std::vector<float>& values) const {
  const int side = options_.patch_size;
  for (int channel = 0; channel < 3; ++channel)
    for (int frame = 0; frame < options_.temporal_patch_size(); ++frame)
      for (int y = top; y < top + side; ++y)
        for (int x = left; x < left + side; ++x)
          values.push_back(levels_[channel][pixel(image, y, x)[channel]]);
}

/// Makes patches block by block, row by row, and in the same order within each block.
std::vector<float> ImageProcessor::patches(const Image& image) const {
  const int block = options_.limits.factor, side = options_.patch_size;
  std::vector<float> values;
  values.reserve(image.rgb.size() * options_.temporal_patch_size());
  for (int block_top = 0; block_top < image.height; block_top += block)
    for (int block_left = 0; block_left < image.width; block_left += block)
      for (int top = block_top; top < block_top + block; top += side)
        for (int left = block_left; left < block_left + block; left += side)
          append_patch(image, top, left, values);
  return values;
}

PreparedImage ImageProcessor::operator()(const Image& image) const {
  const ImageSize size = resized({image.height, image.width});
  const Image whole = resize(image, size.width, size.height, options_.resample, options_.backend);
  return {grid(image.width, image.height),
          options_.layout == ImageLayout::kPatches ? patches(whole) : planes(whole)};
}

}  // namespace dualpath::data
