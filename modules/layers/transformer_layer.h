#pragma once

#include <optional>
#include <string>
#include <vector>

#include "modules/config/activation.h"
#include "modules/network/network.h"

namespace dualpath::modules {

/// One layer of a transformer: attention and MLP, each behind a norm and added to its input. Fields
/// tell families apart. The names are the checkpoint's.
struct TransformerLayer {
  std::string name;
  NormRef attention_norm;
  LinearRefs qkv;  ///< q, k and v; or one linear with all three, one behind another
  std::optional<NormRef> query_norm, key_norm;  ///< over each head, before the rotation
  bool rotates = false;                         ///< q and k, by the stream's rotation
  AttentionRef attention;
  LinearRefs output;
  std::optional<NormRef> after_attention_norm;  ///< over attention's result, before it is added
  NormRef mlp_norm;
  /// Gate and up; or one linear: an MLP's without a gate, or (`gated`) both as halves.
  LinearRefs up;
  bool gated = true;
  Activation activation = Activation::kSilu;
  LinearRefs down;
  std::optional<NormRef> after_mlp_norm;  ///< over the MLP's result, before it is added

  /// stream.hidden: [B, T, H]. The ref and the stream's mask say which keys attention sees. A
  /// causal one needs no mask.
  void forward(Executor& executor, Stream& stream, KvCache* cache = nullptr) const;
  std::vector<ChannelFold> folds() const;

 private:
  at::Tensor mixed(Executor& executor, const Stream& stream, KvCache* cache) const;
  at::Tensor mlp(Executor& executor, const at::Tensor& x) const;
};

/// Appends the layer as a stage of that stream, and its folds.
void append_layer(Network& network, const TransformerLayer& layer, Modality stream);

}  // namespace dualpath::modules
