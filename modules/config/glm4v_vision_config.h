#pragma once

#include <cstdint>

#include "data/formats/json.h"
#include "modules/config/activation.h"

namespace dualpath::modules {

/// The vision tower of GLM-4.1V (Hong et al. 2025), for images of any size.
struct Glm4vVisionConfig {
  std::int64_t hidden_size = 0;
  std::int64_t out_hidden_size = 0;    ///< the decoder's width; the layers' MLPs', too
  std::int64_t intermediate_size = 0;  ///< the merger's MLP's width
  std::int64_t num_hidden_layers = 0, num_attention_heads = 0;
  std::int64_t num_channels = 3;
  std::int64_t patch_size = 0;           ///< pixels a side
  std::int64_t temporal_patch_size = 0;  ///< frames; an image is repeated
  std::int64_t spatial_merge_size = 0;   ///< patches a side that become one hidden state
  std::int64_t positions = 0;  ///< patches a side that the learned positions were made for
  double rms_norm_eps = 1e-5;
  double rope_theta = 10000.0;
  Activation activation = Activation::kSilu;
  bool attention_bias = false;

  std::int64_t patch_values() const {
    return num_channels * temporal_patch_size * patch_size * patch_size;
  }

  /// Reads and checks the vision_config of a config.json of model_type glm4v.
  static Glm4vVisionConfig from_json(const data::JsonObject& config);
};

}  // namespace dualpath::modules
