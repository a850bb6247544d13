#pragma once

#include <string>

#include "modules/config/conformer_config.h"
#include "modules/network/executor.h"

namespace dualpath::modules {

/// Makes fewer frames by convolutions over time and mel bands, with ReLU between (Rekesh et al.
/// 2023). Each but the first is one depthwise and one pointwise.
class Subsampling {
 public:
  Subsampling(const ConformerConfig& config, const std::string& name);

  /// stream.input: [B, T, mels]. Makes hidden [B, T', H], and of mask [B, T] one that is [B, T'].
  void forward(Executor& executor, Stream& stream) const;

 private:
  struct Step {
    ConvRef depthwise;
    LinearRef pointwise;
  };
  ConformerConfig::Subsampling sizes_;
  double input_scale_ = 1.0;
  ConvRef first_;
  std::vector<Step> steps_;
  LinearRef output_;
};

}  // namespace dualpath::modules
