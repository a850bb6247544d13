#include "modules/config/vit_config.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/base/error.h"
#include "modules/config/config_keys.h"
#include "modules/config/encoder_config.h"

namespace dualpath::modules {
namespace {

using data::JsonObject;

/// Reads a number for both sides, or [height, width].
std::pair<std::int64_t, std::int64_t> image_size(const JsonObject& config, const char* key,
                                                 std::int64_t fallback) {
  if (!config.contains(key) || !config.raw()[key].is_array()) {
    const std::int64_t side = config.integer_or(key, fallback, kEncoderPixels);
    return {side, side};
  }
  const std::vector<std::int64_t> sides = config.integers(key, kEncoderPixels);
  if (sides.size() != 2)
    throw Error("{}: {}: expected 2 sizes, got {}", config.where(), key, sides.size());
  return {sides[0], sides[1]};
}

/// The classes that "architectures" names.
std::vector<std::string> classes_of(const JsonObject& config) {
  return config.contains("architectures") ? config.strings("architectures")
                                          : std::vector<std::string>{};
}

/// Reads the keys that ViT and DINOv2 share. The sizes' defaults are the same.
VitConfig read_shared(const JsonObject& config, std::int64_t patch_size, double layer_norm_eps) {
  refuse_other_arithmetic(config);
  VitConfig c;
  c.hidden_size = config.integer_or("hidden_size", 768, kEncoderSize);
  c.num_hidden_layers = config.integer_or("num_hidden_layers", 12, kEncoderCount);
  c.num_attention_heads = config.integer_or("num_attention_heads", 12, kEncoderCount);
  std::tie(c.image_height, c.image_width) = image_size(config, "image_size", 224);
  check_heads(config, c.hidden_size, c.num_attention_heads);
  require_same(config, "head_dim", c.hidden_size / c.num_attention_heads);
  c.patch_size = config.integer_or("patch_size", patch_size, kEncoderPixels);
  c.num_channels = config.integer_or("num_channels", 3, kEncoderCount);
  c.layer_norm_eps = config.number_or("layer_norm_eps", layer_norm_eps, data::kPositiveNumber);
  c.activation = activation_named(config.string_or("hidden_act", "gelu"), config.where());
  c.qkv_bias = config.boolean_or("qkv_bias", true);
  return c;
}

/// Width of DINOv2's SwiGLU: two thirds of the MLP's, rounded up to a multiple of 8.
std::int64_t gated_width(std::int64_t mlp_width) { return (mlp_width * 2 / 3 + 7) / 8 * 8; }

VitConfig read_dinov2(const JsonObject& config) {
  VitConfig c = read_shared(config, /*patch_size=*/14, /*layer_norm_eps=*/1e-6);
  c.naming = VitNaming::kDinov2;
  c.layer_scale = true;
  c.gated = config.boolean_or("use_swiglu_ffn", false);
  const std::int64_t width =
      c.hidden_size * config.integer_or("mlp_ratio", 4, {.low = 1, .high = 64});
  c.intermediate_size = c.gated ? gated_width(width) : width;
  if (c.gated) c.activation = Activation::kSilu;  // whatever hidden_act says
  for (const std::string& name : classes_of(config)) {
    // Others read patches' means or several layers.
    if (name != "Dinov2Model")
      throw Error("{}: architectures: expected Dinov2Model, got \"{}\"", config.where(),
                  printable(name));
  }
  if (c.image_height != c.image_width)
    throw Error("{}: image_size: expected a square, as Dinov2Model takes it, got {}x{}",
                config.where(), c.image_height, c.image_width);
  return c;
}

VitConfig read_vit(const JsonObject& config) {
  VitConfig c = read_shared(config, /*patch_size=*/16, /*layer_norm_eps=*/1e-12);
  c.intermediate_size = config.integer_or("intermediate_size", 3072, kEncoderSize);
  const std::vector<std::string> classes = classes_of(config);
  if (std::find(classes.begin(), classes.end(), "ViTForImageClassification") != classes.end()) {
    const auto labels = config.object_if("id2label");
    c.num_labels = labels ? static_cast<std::int64_t>(labels->keys().size())
                          : config.integer_or("num_labels", 2, kEncoderSize);
  }
  return c;
}

struct TimmSize {
  const char* name;
  std::int64_t embed_dim, depth, num_heads;
};
constexpr std::array<TimmSize, 4> kTimmSizes{{{"vit_tiny_patch16", 192, 12, 3},
                                              {"vit_small_patch16", 384, 12, 6},
                                              {"vit_base_patch16", 768, 12, 12},
                                              {"vit_large_patch16", 1024, 24, 16}}};

/// Whether the rest of an architecture's name is an image's size alone: other words name other
/// networks (vit_base_patch16_clip_224).
bool is_image_size(std::string_view rest) {
  return rest.empty() || (rest.size() > 1 && rest.front() == '_' &&
                          rest.find_first_not_of("0123456789", 1) == std::string_view::npos);
}

const TimmSize& timm_size(const JsonObject& config) {
  const std::string architecture = config.string("architecture");
  for (const TimmSize& size : kTimmSizes) {
    const std::string_view name = size.name;
    if (architecture.starts_with(name) &&
        is_image_size(std::string_view(architecture).substr(name.size())))
      return size;
  }
  throw Error(
      "{}: architecture: expected vit_tiny_patch16, vit_small_patch16, vit_base_patch16 or "
      "vit_large_patch16 and an image size, got \"{}\"",
      config.where(), architecture);
}

/// Refuses unknown arguments of timm's VisionTransformer. Known arguments are read, concern
/// training alone, or allow for images of any size.
void require_known_arguments(const JsonObject& arguments) {
  require_known_keys(
      arguments, {"embed_dim", "depth", "num_heads", "img_size", "patch_size", "in_chans",
                  "num_classes", "global_pool", "dynamic_img_size", "strict_img_size", "drop_rate",
                  "pos_drop_rate", "patch_drop_rate", "proj_drop_rate", "attn_drop_rate",
                  "drop_path_rate", "weight_init", "fix_init"});
}

void require_token_pool(const JsonObject& config) {
  const std::string pool = config.string_or("global_pool", "token");
  if (pool != "token")
    throw Error("{}: global_pool: expected \"token\", got \"{}\"", config.where(), printable(pool));
}

VitConfig read_timm(const JsonObject& config) {
  constexpr std::int64_t kMlpRatio = 4;
  const TimmSize& size = timm_size(config);
  const JsonObject arguments =
      config.object_if("model_args").value_or(JsonObject::parse("{}", config.where()));
  require_known_arguments(arguments);
  require_token_pool(config);
  require_token_pool(arguments);
  VitConfig c;
  c.naming = VitNaming::kTimm;
  c.hidden_size = arguments.integer_or("embed_dim", size.embed_dim, kEncoderSize);
  c.intermediate_size = kMlpRatio * c.hidden_size;
  c.num_hidden_layers = arguments.integer_or("depth", size.depth, kEncoderCount);
  c.num_attention_heads = arguments.integer_or("num_heads", size.num_heads, kEncoderCount);
  std::tie(c.image_height, c.image_width) = image_size(arguments, "img_size", 224);
  c.patch_size = arguments.integer_or("patch_size", 16, kEncoderPixels);
  c.num_channels = arguments.integer_or("in_chans", 3, kEncoderCount);
  c.layer_norm_eps = 1e-6;
  constexpr data::IntegerRange kClasses{.low = 0, .high = 1 << 20};
  c.num_labels =
      arguments.integer_or("num_classes", config.integer_or("num_classes", 0, kClasses), kClasses);
  check_heads(config, c.hidden_size, c.num_attention_heads);
  return c;
}

VitConfig read_any(const JsonObject& config) {
  if (config.contains("architecture")) return read_timm(config);
  const std::string type = config.string("model_type");
  if (type == "vit") return read_vit(config);
  if (type == "dinov2") return read_dinov2(config);
  throw Error("{}: model_type: expected vit or dinov2, got \"{}\"", config.where(),
              printable(type));
}

}  // namespace

VitConfig VitConfig::from_json(const JsonObject& config) {
  const VitConfig c = read_any(config);
  if (c.image_height % c.patch_size != 0 || c.image_width % c.patch_size != 0)
    throw Error("{}: an image of {}x{} is not divided by patches of {}", config.where(),
                c.image_height, c.image_width, c.patch_size);
  return c;
}

}  // namespace dualpath::modules
