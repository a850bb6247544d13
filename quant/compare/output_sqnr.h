#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/samples/batch.h"
#include "modules/network/network.h"
#include "quant/compare/saturation.h"
#include "quant/plan/plan.h"

namespace dualpath::quant {

/// Noise that quantizing one linear's weight and input adds to its own output, and the share of its
/// input that a static scale cuts off.
struct OutputSqnr {
  std::string linear, stage;
  double decibels = 0.0;
  SaturatedShares saturated = {};  ///< empty if the input has no static scale
};

/// Ratio of equal outputs.
inline constexpr double kMostDecibels = 200.0;

/// Signal-to-quantization-noise ratio of every planned linear of a stage, in the plan's order: -10
/// log10 of |q - y|^2 / |y|^2, its mean over the real positions of the linear's stream. (Each
/// position counts alike, the huge first one of a window, too.) Each linear stands alone: both
/// executors are given the input that `reference` has there. Both must compute from the same
/// weights (smoothed, trained or not), by these scales. `progress` is called after each stage of
/// each batch.
std::vector<OutputSqnr> output_sqnr(const modules::Network& network,
                                    const std::vector<data::Batch>& batches, const Plan& plan,
                                    const ActivationScales& scales, modules::Executor& reference,
                                    modules::Executor& quantized,
                                    const std::function<void()>& progress);

}  // namespace dualpath::quant
