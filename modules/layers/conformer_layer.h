#pragma once

#include <optional>
#include <string>
#include <vector>

#include "modules/config/activation.h"
#include "modules/network/network.h"

namespace dualpath::modules {

/// One layer of a Conformer: half a feed-forward step, attention and convolution in either order,
/// the other half, a norm. The names are the checkpoint's.
struct ConformerLayer {
  struct FeedForward {
    NormRef norm;
    LinearRef up, down;
  };
  /// A score's gain by the distance of query and key (Dai et al. 2019).
  struct RelativePositions {
    LinearRef keys;                            ///< reads the distances' sines and cosines
    ParameterRef content_bias, distance_bias;  ///< [heads, head_dim] each, added to the query
  };
  struct Attention {
    NormRef norm;
    LinearRefs qkv;  ///< q, k and v; or one linear with all three, one behind another
    AttentionRef ref;
    LinearRef output;
    std::optional<RelativePositions> positions;
  };
  struct Convolution {
    NormRef norm;
    LinearRef expand;  ///< to twice the width: values and their gates
    ConvRef depthwise;
    NormRef batch_norm;
    LinearRef contract;
  };

  std::string name;
  FeedForward first, second;
  Attention attention;
  Convolution convolution;
  NormRef final_norm;
  Activation activation = Activation::kSilu;
  bool convolution_first = false;

  /// stream.hidden: [B, T, H]. Reads nothing where stream.mask is false.
  void forward(Executor& executor, Stream& stream) const;
  /// The norms' channels and the values'. Feed-forward steps and the convolution pass through
  /// functions that are not linear.
  std::vector<ChannelFold> folds() const;

 private:
  at::Tensor fed_forward(Executor& executor, const FeedForward& step, const at::Tensor& x) const;
  at::Tensor attended(Executor& executor, const at::Tensor& x, const at::Tensor& mask) const;
  at::Tensor convolved(Executor& executor, const at::Tensor& x, const at::Tensor& mask) const;
};

}  // namespace dualpath::modules
