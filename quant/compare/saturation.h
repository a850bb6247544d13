#pragma once

#include <map>
#include <string>

#include "modules/network/executor.h"
#include "quant/calibrate/activation_scales.h"
#include "quant/plan/plan.h"

namespace dualpath::quant {

/// By modality, the share of values that a static scale's range does not hold.
using SaturatedShares = std::map<modules::Modality, double>;

/// Counts what static inputs of linears saturate, by what their positions stand for.
class Saturation {
 public:
  /// Both must outlive it.
  Saturation(const Plan& plan, const ActivationScales& scales);

  /// x: [..., C], what a stage of that stream gives these linears.
  void count(const modules::LinearRefs& refs, const at::Tensor& x, const modules::State& state,
             modules::Modality stream);
  /// Adds the counts of another one, of the same plan.
  void merge(const Saturation& other);
  /// Of a tensor group; empty where nothing was counted.
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
