#pragma once

#include <memory>

#include "modules/network/network.h"
#include "modules/weights/tensor_view.h"
#include "modules/weights/weight_store.h"
#include "quant/calibrate/calibration_samples.h"
#include "quant/plan/plan.h"
#include "quant/transform/transform.h"

namespace dualpath::quant {

/// Computes each channel's factor = max|x|^strength / max|w|^(1 - strength), over all weights that
/// read it. A channel that is zero in x or w counts as 1e-5 there. input_range: [inputs] float32,
/// max|x| over the calibration. Result: [channels] float32.
at::Tensor smoothing_factors(const modules::ChannelFold& fold, const at::Tensor& input_range,
                             const modules::WeightStore& weights, double strength);

/// Finds each fold's factors, by the plan's strength or by a search. The search tries strengths 0.3
/// to 0.9 in steps of 0.1, and none. It takes the one whose outputs, with weights and inputs
/// quantized, err least against the float ones. The error is the squared error over the squared
/// output of each token. It is a mean over at most 512 tokens of the first run that reaches the
/// input. Runs start from `searched` until each input was reached; an input that none reaches is an
/// Error. input_ranges: by tensor group.
Smoothing find_smoothing(const modules::Network& network,
                         const std::shared_ptr<const modules::WeightStore>& weights,
                         at::TensorOptions options, const Plan& plan,
                         const modules::NamedTensors& input_ranges,
                         const CalibrationSamples& searched);

}  // namespace dualpath::quant
