#include "data/media/image_processor_options.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/base/error.h"
#include "data/media/image.h"

namespace dualpath::data {
namespace {

constexpr IntegerRange kSide{.low = 1, .high = kMaxSide};
constexpr IntegerRange kPatch{.low = 1, .high = 256};
constexpr IntegerRange kFew{.low = 1, .high = 16};
// float has room for every pixel rescaled and normalized by these.
constexpr NumberRange kFactor{.low = 1e-6, .high = 1e6};
constexpr NumberRange kMean{.low = -1e6, .high = 1e6};
constexpr NumberRange kStd{.low = 1e-6, .high = 1e6};

ImageProcessorOptions defaults(const JsonObject& config) {
  const std::string type = config.string("image_processor_type");
  if (type == "ViTImageProcessor" || type == "ViTImageProcessorFast") return {};
  if (type == "Glm4vImageProcessor" || type == "Glm4vImageProcessorFast")
    return ImageProcessorOptions::glm4v();
  throw Error(
      "{}: image_processor_type: expected ViTImageProcessor or Glm4vImageProcessor, got \"{}\"",
      config.where(), printable(type));
}

/// Reads an int; `range` must lie in an int's.
int small_integer(const JsonObject& config, const char* key, int fallback, IntegerRange range) {
  return static_cast<int>(config.integer_or(key, fallback, range));
}

Resample read_resample(const JsonObject& config, Resample fallback) {
  constexpr std::int64_t kPillowBilinear = 2, kPillowBicubic = 3;
  if (!config.contains("resample")) return fallback;
  switch (const std::int64_t filter = config.integer("resample")) {
    case kPillowBilinear:
      return Resample::kBilinear;
    case kPillowBicubic:
      return Resample::kBicubic;
    default:
      throw Error("{}: resample: expected 2 (bilinear) or 3 (bicubic), got {}", config.where(),
                  filter);
  }
}

/// {height, width}, or a number for both.
ImageSize read_sides(const JsonObject& config) {
  if (config.raw()["size"].is_number()) {
    const auto side = static_cast<int>(config.integer("size", kSide));
    return {side, side};
  }
  const JsonObject size = config.object("size");
  return {static_cast<int>(size.integer("height", kSide)),
          static_cast<int>(size.integer("width", kSide))};
}

ImageSize read_size(const JsonObject& config, ImageSize fallback) {
  if (!config.contains("size")) return fallback;
  const ImageSize size = read_sides(config);
  if (std::int64_t{size.height} * size.width > kMaxPixels)
    throw Error("{}: size: expected at most {} pixels, got {} x {}", config.where(), kMaxPixels,
                size.width, size.height);
  return size;
}

SizeLimits read_limits(const JsonObject& config, const ImageProcessorOptions& o) {
  SizeLimits limits = o.limits;
  limits.factor = o.patch_size * o.merge_size;
  limits.frames = small_integer(config, "temporal_patch_size", limits.frames, kFew);
  if (const auto size = config.object_if("size")) {
    limits.max_pixels = size->integer("longest_edge", {.low = 1, .high = kMaxPixels});
    limits.min_pixels = size->integer("shortest_edge", {.low = 1, .high = limits.max_pixels});
  }
  return limits;
}

std::array<double, 3> read_channels(const JsonObject& config, const char* key,
                                    const std::array<double, 3>& fallback, NumberRange range) {
  if (!config.contains(key)) return fallback;
  const std::vector<double> values = config.numbers(key, range);
  if (values.size() != 3)
    throw Error("{}: {}: expected 3 numbers, got {}", config.where(), key, values.size());
  return {values[0], values[1], values[2]};
}

void refuse_if_true(const JsonObject& config, const char* key) {
  if (config.boolean_or(key, false))
    throw Error("{}: {}: expected false, got true", config.where(), key);
}

}  // namespace

ImageProcessorOptions ImageProcessorOptions::glm4v() {
  ImageProcessorOptions o;
  o.layout = ImageLayout::kPatches;
  o.resample = Resample::kBicubic;
  o.image_mean = {0.48145466, 0.4578275, 0.40821073};
  o.image_std = {0.26862954, 0.26130258, 0.27577711};
  return o;
}

ImageProcessorOptions ImageProcessorOptions::from_json(const JsonObject& config) {
  ImageProcessorOptions o = defaults(config);
  refuse_if_true(config, "do_center_crop");
  refuse_if_true(config, "do_pad");
  o.do_resize = config.boolean_or("do_resize", o.do_resize);
  o.resample = read_resample(config, o.resample);
  if (o.layout == ImageLayout::kPlanes) {
    o.size = read_size(config, o.size);
  } else {
    o.patch_size = small_integer(config, "patch_size", o.patch_size, kPatch);
    o.merge_size = small_integer(config, "merge_size", o.merge_size, kFew);
    o.limits = read_limits(config, o);
  }
  o.do_rescale = config.boolean_or("do_rescale", o.do_rescale);
  o.rescale_factor = config.number_or("rescale_factor", o.rescale_factor, kFactor);
  o.do_normalize = config.boolean_or("do_normalize", o.do_normalize);
  o.image_mean = read_channels(config, "image_mean", o.image_mean, kMean);
  o.image_std = read_channels(config, "image_std", o.image_std, kStd);
  return o;
}

}  // namespace dualpath::data
