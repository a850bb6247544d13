#pragma once

#include <cstdint>

#include "data/formats/json.h"
#include "modules/config/activation.h"

namespace dualpath::modules {

/// The library whose form and names a Conformer has.
enum class ConformerKind {
  kParakeet,   ///< transformers' ParakeetEncoder: subsampling, relative positions
  kTorchaudio  ///< torchaudio.models.Conformer: layers alone, without positions
};

/// A Conformer (Gulati et al. 2020), an encoder of speech.
struct ConformerConfig {
  ConformerKind kind = ConformerKind::kParakeet;
  std::int64_t num_mel_bins = 0;  ///< the width of its input
  std::int64_t hidden_size = 0, intermediate_size = 0;
  std::int64_t num_hidden_layers = 0, num_attention_heads = 0;
  std::int64_t conv_kernel_size = 0;  ///< frames, odd
  Activation activation = Activation::kSilu;
  bool attention_bias = true;      ///< attention's, and Parakeet's feed-forward linears'
  bool convolution_bias = true;    ///< a layer's convolutions have biases
  bool convolution_first = false;  ///< the convolution stands before attention
  bool scale_input = false;        ///< scales by sqrt(hidden_size), behind the subsampling

  struct Subsampling {
    std::int64_t halvings = 0;  ///< steps of `stride`, whose product is the factor
    std::int64_t channels = 0, kernel_size = 0, stride = 0;
  };
  Subsampling subsampling;  ///< Parakeet's

  std::int64_t head_dim() const { return hidden_size / num_attention_heads; }

  /// Reads and checks a config.json of model_type parakeet_encoder, or of model_type conformer with
  /// the names of torchaudio's constructor. A setting that we do not compute is an Error.
  static ConformerConfig from_json(const data::JsonObject& config);
};

}  // namespace dualpath::modules
