#pragma once

#include <optional>
#include <string>
#include <vector>

#include "modules/config/activation.h"
#include "modules/network/network.h"

namespace dualpath::modules {

/// One layer of a transformer: attention and MLP, each behind a norm and added to its input. Fields
/// tell families apart. The names are the checkpoint's.
///
/// LayerScale (Touvron et al. 2021, CaiT, section 2.1) multiplies each channel of a branch's result
/// by a learned factor before it is added. No fold passes through one, because the channels behind
/// it are the residual stream's. A file that has the factors in `output` and `down` instead
/// describes the same function.
struct TransformerLayer {
  std::string name;
  NormRef attention_norm;
  LinearRefs qkv;  ///< q, k and v; or one linear with all three, one behind another
  std::optional<NormRef> query_norm, key_norm;  ///< over each head, before the rotation
  bool rotates = false;                         ///< q and k, by the stream's rotation
  AttentionRef attention;
  LinearRefs output;
  std::optional<NormRef> after_attention_norm;  ///< over attention's result, before it is added
  std::optional<ParameterRef> attention_scale;  ///< LayerScale of attention's result, [H]
  /// Whether attention sees every position, whatever the stream's mask says: padding is an input as
  /// any other then (Whisper's silence), of which only the result is left out.
  bool sees_padding = false;
  NormRef mlp_norm;
  /// Gate and up; or one linear: an MLP's without a gate, or (`gated`) both as halves.
  LinearRefs up;
  bool gated = true;
  Activation activation = Activation::kSilu;
  LinearRefs down;
  std::optional<NormRef> after_mlp_norm;  ///< over the MLP's result, before it is added
  std::optional<ParameterRef> mlp_scale;  ///< LayerScale of the MLP's result, [H]

  /// stream.hidden: [B, T, H]. The ref and the stream's mask say which keys attention sees, unless
  /// it `sees_padding`. A causal one needs no mask.
  void forward(Executor& executor, Stream& stream, KvCache* cache = nullptr) const;
  std::vector<ChannelFold> folds() const;

 private:
  at::Tensor mixed(Executor& executor, const Stream& stream, KvCache* cache) const;
  at::Tensor mlp(Executor& executor, const at::Tensor& x) const;
};

/// Appends the layer as a stage of that stream, and its folds.
void append_layer(Network& network, const TransformerLayer& layer, Modality stream);

}  // namespace dualpath::modules
