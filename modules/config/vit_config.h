#pragma once

#include <cstdint>

#include "data/formats/json.h"
#include "modules/config/activation.h"

namespace dualpath::modules {

/// The library and class whose names a checkpoint of a ViT has.
enum class VitNaming {
  kHuggingFace,  ///< transformers' ViTModel and ViTForImageClassification
  kDinov2,       ///< transformers' Dinov2Model
  kTimm
};

/// A vision transformer (Dosovitskiy et al. 2021) with a class token: ViT-B/16 and its kind. DINOv2
/// (Oquab et al. 2024) is one with LayerScale.
struct VitConfig {
  std::int64_t hidden_size = 0, intermediate_size = 0;
  std::int64_t num_hidden_layers = 0, num_attention_heads = 0;
  std::int64_t image_height = 0, image_width = 0;  ///< the positions' image, in pixels
  std::int64_t patch_size = 0;
  std::int64_t num_channels = 3;
  double layer_norm_eps = 1e-12;
  Activation activation = Activation::kGelu;
  bool qkv_bias = true;
  bool layer_scale = false;  ///< see TransformerLayer
  /// Whether the MLP has a gate beside it, both in one linear of twice intermediate_size (SwiGLU).
  bool gated = false;
  VitNaming naming = VitNaming::kHuggingFace;
  std::int64_t num_labels = 0;  ///< labels of a classifier on the class token; 0: there is none

  std::int64_t rows() const { return image_height / patch_size; }
  std::int64_t columns() const { return image_width / patch_size; }

  /// Reads and checks a config.json of transformers (model_type vit or dinov2) or timm
  /// (architecture vit_tiny, _small, _base or _large, its sizes there or in model_args).
  static VitConfig from_json(const data::JsonObject& config);
};

}  // namespace dualpath::modules
