#include "quant/calibrate/smoothing.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "data/base/error.h"
#include "modules/execute/float_executor.h"
#include "modules/weights/to_device.h"
#include "quant/ops/dequantize.h"
#include "quant/ops/grid_weight.h"
#include "quant/ops/quantize.h"
#include "quant/ops/quantize_rows.h"
#include "quant/stored/stored_weight.h"
#include "quant/transform/smoothed_weights.h"

namespace dualpath::quant {
namespace {

using at::Tensor;
using modules::ChannelFold;
using modules::LinearRef;
using modules::LinearRefs;
using modules::WeightStore;

constexpr double kStrengths[] = {0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};

/// Maximum over the inputs that are one channel of the producer.
Tensor by_channel(const Tensor& inputs, const ChannelFold& fold) {
  if (fold.repeats == 1) return inputs;
  return inputs.view({-1, fold.repeats, fold.block}).amax(1).reshape(-1);
}

/// The largest weight that each input meets: [inputs].
Tensor weight_range(const ChannelFold& fold, const WeightStore& weights) {
  Tensor range;
  for (const LinearRef& consumer : fold.consumers) {
    const Tensor own = matrix_of(weights, consumer).to(at::kFloat).abs().amax(0);
    range = range.defined() ? at::maximum(range, own) : own;
  }
  return range;
}

/// Runs in float and tries each strength on the inputs that pass.
class StrengthSearch : public modules::FloatExecutor {
 public:
  StrengthSearch(std::shared_ptr<const WeightStore> weights, at::TensorOptions options,
                 const Plan& plan, const modules::NamedTensors& input_ranges)
      : FloatExecutor(std::move(weights), options), plan_(plan), input_ranges_(input_ranges) {
    for (const PlannedFold& planned : plan.folds) folds_[planned.group] = &planned.fold;
  }

  std::vector<Tensor> linear(const LinearRefs& refs, const Tensor& x) override {
    for (const LinearRef& ref : refs) {
      const auto fold = folds_.find(ref.input_site());
      if (fold != folds_.end()) search(fold->first, *fold->second, x);
    }
    return FloatExecutor::linear(refs, x);
  }
  using FloatExecutor::linear;

  bool is_complete() const { return found_.factors.size() == folds_.size(); }
  /// The result of a search that is complete; else an Error naming the input.
  const Smoothing& found() const {
    for (const auto& [group, fold] : folds_) {
      if (!found_.factors.contains(group))
        throw Error("{}: the search for smoothing's strengths saw no value", group);
    }
    return found_;
  }

 private:
  /// An input as the linears see it, and the weights it is multiplied with.
  struct Side {
    Tensor inputs;
    std::vector<Tensor> weights;
  };

  void search(const std::string& group, const ChannelFold& fold, const Tensor& x) {
    if (found_.factors.contains(group)) return;
    const Side exact = float_side(fold, x);
    Tensor best = at::ones({fold.channels});
    double least = error(group, fold, exact, best);
    for (const double strength : kStrengths) {
      const Tensor factors =
          smoothing_factors(fold, input_ranges_.at(group), weights().store(), strength);
      const double made = error(group, fold, exact, factors);
      if (made >= least) continue;
      least = made;
      best = factors;
      found_.strengths[group] = strength;
    }
    found_.factors[group] = best;
  }

  Side float_side(const ChannelFold& fold, const Tensor& x) {
    constexpr std::int64_t kRows = 512;
    const Tensor rows = x.reshape({-1, x.size(-1)});
    const std::int64_t step = (rows.size(0) + kRows - 1) / kRows;
    Side side{rows.slice(0, 0, std::nullopt, step).to(at::kFloat), {}};
    for (const LinearRef& consumer : fold.consumers)
      side.weights.push_back(
          modules::to_device(matrix_of(weights().store(), consumer), device()).to(at::kFloat));
    return side;
  }

  double error(const std::string& group, const ChannelFold& fold, const Side& exact,
               const Tensor& factors) const {
    const Tensor on_host = spread(factors, fold), by_input = on_host.to(device());
    const Tensor range = input_ranges_.at(group) / on_host;
    double sum = 0.0;
    for (std::size_t i = 0; i < fold.consumers.size(); ++i) {
      const PlannedLinear* linear = plan_.linear(fold.consumers[i].name);
      if (!linear) continue;  // stays in float
      const Tensor inputs = quantized(*linear, exact.inputs / by_input, range);
      const Tensor weight =
          quantize_weight(exact.weights[i] * by_input, linear->ref.weight_site(), linear->weights)
              .dequantized(at::kFloat);
      const Tensor wanted = at::linear(exact.inputs, exact.weights[i]);
      const Tensor wrong = (at::linear(inputs, weight) - wanted).square().sum(1);
      constexpr double kTiny = 1e-12;  // for tokens whose output is zero
      sum += (wrong / (wanted.square().sum(1) + kTiny)).mean().item<double>();
    }
    return sum;
  }

  static Tensor quantized(const PlannedLinear& linear, const Tensor& x, const Tensor& range) {
    const std::string site = linear.ref.input_site();
    if (!linear.input_activations) return x;
    const int num_bits = linear.input_activations->num_bits;
    if (!linear.is_static()) {
      const ScaledCodes made =
          quantize_tokens(x, token_grid(/*unsigned_codes=*/false, num_bits), site);
      return dequantize(made.values, made.scale, at::kFloat);
    }
    const float scale = symmetric_scale(range.max().item<float>(), qmax_of(num_bits));
    return dequantize(quantize(x, activation_grid(scale, num_bits), site).values,
                      at::full({1}, scale, x.options()), at::kFloat);
  }

  const Plan& plan_;
  const modules::NamedTensors& input_ranges_;
  std::map<std::string, const ChannelFold*> folds_;
  Smoothing found_;
};

}  // namespace

Tensor smoothing_factors(const ChannelFold& fold, const Tensor& input_range,
                         const WeightStore& weights, double strength) {
  constexpr double kSmallest = 1e-5;
  const Tensor x = by_channel(input_range, fold).clamp_min(kSmallest);
  const Tensor w = by_channel(weight_range(fold, weights), fold).clamp_min(kSmallest);
  return x.pow(strength) / w.pow(1.0 - strength);
}

Smoothing find_smoothing(const modules::Network& network,
                         const std::shared_ptr<const WeightStore>& weights,
                         at::TensorOptions options, const Plan& plan,
                         const modules::NamedTensors& input_ranges,
                         const CalibrationSamples& searched) {
  if (plan.smoothing.search) {
    StrengthSearch search(weights, options, plan, input_ranges);
    for (std::size_t i = 0; i < searched.count && !search.is_complete(); ++i) {
      modules::State state = searched.state(i);
      for (const modules::Stage& stage : network.stages) {
        if (searched.runs(stage, state)) modules::run(stage, search, state);
        search.release();
      }
    }
    return search.found();
  }
  Smoothing smoothing;
  for (const auto& [group, fold] : plan.folds) {
    const double strength = plan.smoothing.strength;
    smoothing.factors[group] = smoothing_factors(fold, input_ranges.at(group), *weights, strength);
    smoothing.strengths[group] = strength;
  }
  return smoothing;
}

}  // namespace dualpath::quant
