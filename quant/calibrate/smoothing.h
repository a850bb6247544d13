#pragma once

#include <memory>

#include "modules/network/network.h"
#include "modules/weights/tensor_view.h"
#include "modules/weights/weight_store.h"
#include "quant/calibrate/calibration_samples.h"
#include "quant/plan/plan.h"
#include "quant/transform/transform.h"

namespace dualpath::quant {

/// factor = max|x|^strength / max|w|^(1 - strength) of each channel, over all that read it. A
/// channel that is zero in either has a factor as if it were 1e-5 there.
/// input_range: [inputs] float32, max|x| over the calibration. Result: [channels] float32.
at::Tensor smoothing_factors(const modules::ChannelFold& fold, const at::Tensor& input_range,
                             const modules::WeightStore& weights, double strength);

/// By the plan's strength, or searched: of the strengths 0.3 to 0.9 in steps of 0.1, and none, the
/// one whose outputs, with weights and inputs quantized, err least against the float ones: the
/// squared error over the squared output of each token, mean over at most 512 tokens of what
/// the first run that reaches the input shows; runs start from `searched` until each was reached.
/// An input that none reaches is an Error. input_ranges: by tensor group.
Smoothing find_smoothing(const modules::Network& network,
                         const std::shared_ptr<const modules::WeightStore>& weights,
                         at::TensorOptions options, const Plan& plan,
                         const modules::NamedTensors& input_ranges,
                         const CalibrationSamples& searched);

}  // namespace dualpath::quant
