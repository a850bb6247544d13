#include "modules/config/glm4v_vision_config.h"

#include <string>

#include "data/base/error.h"
#include "modules/config/config_keys.h"
#include "modules/config/encoder_config.h"

namespace dualpath::modules {
namespace {

/// The rotation's theta. It may stand in the rotation's object or beside it; transformers prefers
/// the object's.
double theta_of(const data::JsonObject& config) {
  constexpr const char* kTheta = "rope_theta";
  const double theta = config.number_or(kTheta, 10000.0, data::kPositiveNumber);
  const auto rotation = rotation_of(config);
  if (!rotation) return theta;
  const std::string type = rotation->string_or("rope_type", rotation->string_or("type", "axial"));
  if (type != "axial" && type != "default") {
    throw Error("{}: rope_type: expected \"axial\" or \"default\", got \"{}\"", rotation->where(),
                printable(type));
  }
  require_known_keys(*rotation, {"rope_type", "type", kTheta});
  return rotation->number_or(kTheta, theta, data::kPositiveNumber);
}

void check(const data::JsonObject& config, const Glm4vVisionConfig& c) {
  constexpr std::int64_t kPairsOfBothAxes = 4;
  check_heads(config, c.hidden_size, c.num_attention_heads);
  const std::int64_t head_dim = c.hidden_size / c.num_attention_heads;
  require_same(config, "head_dim", head_dim);
  // other names of depth and num_heads
  require_same(config, "num_hidden_layers", c.num_hidden_layers);
  require_same(config, "num_attention_heads", c.num_attention_heads);
  if (head_dim % kPairsOfBothAxes != 0)
    throw Error(
        "{}: expected heads of a multiple of {} dimensions, which turn by row and column, "
        "got {}",
        config.where(), kPairsOfBothAxes, head_dim);
  if (c.positions < 1)
    throw Error("{}: expected image_size to be at least patch_size, got fewer pixels than {}",
                config.where(), c.patch_size);
}

}  // namespace

Glm4vVisionConfig Glm4vVisionConfig::from_json(const data::JsonObject& config) {
  refuse_other_arithmetic(config);
  Glm4vVisionConfig c;
  c.hidden_size = config.integer_or("hidden_size", 1536, kEncoderSize);
  c.out_hidden_size = config.integer_or("out_hidden_size", 4096, kEncoderSize);
  c.intermediate_size = config.integer_or("intermediate_size", 13696, kEncoderSize);
  c.num_hidden_layers = config.integer_or("depth", 24, kEncoderCount);
  c.num_attention_heads = config.integer_or("num_heads", 12, kEncoderCount);
  c.num_channels = config.integer_or("in_channels", 3, kEncoderCount);
  c.patch_size = config.integer_or("patch_size", 14, kEncoderPixels);
  c.temporal_patch_size = config.integer_or("temporal_patch_size", 2, kEncoderCount);
  c.spatial_merge_size = config.integer_or("spatial_merge_size", 2, kEncoderCount);
  c.positions = config.integer_or("image_size", 336, kEncoderPixels) / c.patch_size;
  c.rms_norm_eps = config.number_or("rms_norm_eps", 1e-5, data::kPositiveNumber);
  c.rope_theta = theta_of(config);
  c.activation = activation_named(config.string_or("hidden_act", "silu"), config.where());
  c.attention_bias = config.boolean_or("attention_bias", false);
  check(config, c);
  return c;
}

}  // namespace dualpath::modules
