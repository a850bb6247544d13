#include "quant/compare/output_sqnr.h"

#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "modules/network/batch_state.h"
#include "modules/network/forwarding_executor.h"
#include "modules/network/sweep.h"
#include "quant/calibrate/position_rows.h"
#include "quant/compare/distance.h"

namespace dualpath::quant {
namespace {

using at::Tensor;

/// Runs the reference. For each planned linear also runs the quantized one on the same input; sums
/// relative error and saturated share.
class Comparison : public modules::ForwardingExecutor {
 public:
  Comparison(modules::Executor& reference, modules::Executor& quantized, const Plan& plan,
             const ActivationScales& scales)
      : ForwardingExecutor(reference),
        quantized_(quantized),
        plan_(plan),
        saturation_(plan, scales) {}

  std::vector<Tensor> linear(const modules::LinearRefs& refs, const Tensor& x) override {
    std::vector<Tensor> outputs = executor().linear(refs, x);
    if (!is_planned(refs)) return outputs;
    compare(refs, outputs, quantized_.linear(refs, x));
    saturation_.count(refs, x, *state_, stream_);
    return outputs;
  }
  std::vector<Tensor> norm_linear(const modules::NormRef& norm, const modules::LinearRefs& refs,
                                  const Tensor& x) override {
    const Tensor normed = executor().norm(norm, x);
    std::vector<Tensor> outputs = executor().linear(refs, normed);
    if (!is_planned(refs)) return outputs;
    compare(refs, outputs, quantized_.norm_linear(norm, refs, x));
    saturation_.count(refs, normed, *state_, stream_);
    return outputs;
  }
  void begin(const modules::Stage& stage, const modules::State& state) override {
    ForwardingExecutor::begin(stage, state);
    quantized_.begin(stage, state);
    state_ = &state;
    stream_ = stage.stream;
  }

  void release() override {
    ForwardingExecutor::release();
    quantized_.release();
  }

  /// Sums over the rows that count.
  struct Noise {
    double sum = 0.0, rows = 0.0;  // sum of relative squared errors
  };
  /// Noise by linear.
  const std::map<std::string, Noise>& noise() const { return noise_; }
  const Saturation& saturation() const { return saturation_; }

 private:
  bool is_planned(const modules::LinearRefs& refs) const {
    return std::any_of(refs.begin(), refs.end(), [&](const modules::LinearRef& ref) {
      return plan_.linear(ref.name) != nullptr;
    });
  }
  void compare(const modules::LinearRefs& refs, const std::vector<Tensor>& outputs,
               const std::vector<Tensor>& quantized) {
    for (std::size_t i = 0; i < refs.size(); ++i) {
      if (!plan_.linear(refs[i].name)) continue;
      const auto as_one = [](const Tensor& y) { return y.reshape({1, -1, y.size(-1)}); };
      const Tensor rows = real_rows(outputs[i], state_->stream(stream_).mask);
      Noise& noise = noise_[refs[i].name];
      noise.sum += hidden_distance(DistanceKind::kRelative, as_one(outputs[i]),
                                   as_one(quantized[i]), rows.unsqueeze(0))
                       .item<double>();
      noise.rows += rows.sum().item<double>();
    }
  }

  modules::Executor& quantized_;
  const Plan& plan_;
  Saturation saturation_;
  const modules::State* state_ = nullptr;  // the stage may change its masks on the way
  modules::Modality stream_ = modules::Modality::kText;
  std::map<std::string, Noise> noise_;
};

}  // namespace

std::vector<OutputSqnr> output_sqnr(const modules::Network& network,
                                    const std::vector<data::Batch>& batches, const Plan& plan,
                                    const ActivationScales& scales, modules::Executor& reference,
                                    modules::Executor& quantized,
                                    const std::function<void()>& progress) {
  const torch::NoGradGuard no_grad;
  Comparison comparison(reference, quantized, plan, scales);
  std::vector<modules::State> states;
  for (const data::Batch& batch : batches)
    states.push_back(modules::make_state(batch, reference.device()));
  modules::sweep(network, comparison, states, modules::kAllStages, progress);
  std::vector<OutputSqnr> result;
  for (const PlannedLinear& linear : plan.linears) {
    const auto noise = comparison.noise().find(linear.ref.name);
    if (noise == comparison.noise().end()) continue;  // the head is in no stage
    const double decibels = -10.0 * std::log10(noise->second.sum / noise->second.rows);
    result.push_back({linear.ref.name, linear.stage, std::min(decibels, kMostDecibels),
                      comparison.saturation().shares(linear.group)});
  }
  return result;
}

}  // namespace dualpath::quant
