#pragma once

#include <map>
#include <string>

#include "modules/network/executor.h"
#include "quant/calibrate/activation_scales.h"
#include "quant/plan/plan.h"

namespace dualpath::quant {

/// The share of values that a static scale's range does not hold, by modality.
using SaturatedShares = std::map<modules::Modality, double>;

/// Counts the values that linears' static inputs saturate, by what their positions stand for.
class Saturation {
 public:
  /// Both arguments must outlive the counter.
  Saturation(const Plan& plan, const ActivationScales& scales);

  /// Counts one input. x: [..., C], given to these linears by a stage of that stream.
  void count(const modules::LinearRefs& refs, const at::Tensor& x, const modules::State& state,
             modules::Modality stream);
  /// Adds the counts of `other`, of the same plan.
  void merge(const Saturation& other);
  /// The shares of a tensor group; empty if nothing was counted.
  SaturatedShares shares(const std::string& group) const;

 private:
  struct Count {
    double saturated = 0.0, values = 0.0;
  };

  const Plan& plan_;
  const ActivationScales& scales_;
  std::map<std::string, std::map<modules::Modality, Count>> counts_;
};

}  // namespace dualpath::quant
