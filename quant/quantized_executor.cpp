#include "quant/quantized_executor.h"

#include <ATen/ATen.h>

#include "quant/integer_linear.h"
#include "quant/norm_linear.h"
#include "quant/quantized_linear.h"
#include "quant/stored_weight.h"
#include "quant/weight_only_linear.h"

namespace dualpath::quant {

QuantizedExecutor::QuantizedExecutor(std::shared_ptr<modules::ComputeWeights> weights,
                                     const Plan& plan, const ActivationScales& scales,
                                     Compute compute)
    : FloatExecutor(std::move(weights)), scales_(scales), compute_(compute) {
  for (const PlannedLinear& linear : plan.linears) planned_[linear.ref.name] = &linear;
}

const PlannedLinear* QuantizedExecutor::planned(const modules::LinearRefs& refs) const {
  const auto found = planned_.find(refs.front().name);
  return found == planned_.end() ? nullptr : found->second;
}

std::vector<at::Tensor> QuantizedExecutor::linear(const modules::LinearRefs& refs,
                                                  const at::Tensor& x) {
  const PlannedLinear* linear = planned(refs);
  if (!linear) return FloatExecutor::linear(refs, x);
  const std::shared_ptr<QuantizedGroup>& group = packed(linear->group, refs);
  if (!linear->input_activations) return weight_only_linear(x, *group);
  if (linear->input_activations->dynamic) return token_quantized_linear(x, group);
  return quantized_linear(x, scales_.get(linear->group), group);
}

std::vector<at::Tensor> QuantizedExecutor::norm_linear(const modules::NormRef& norm_ref,
                                                       const modules::LinearRefs& refs,
                                                       const at::Tensor& x) {
  const PlannedLinear* linear = planned(refs);
  if (!linear || !linear->is_static()) return FloatExecutor::norm_linear(norm_ref, refs, x);
  const at::Tensor weight = weights().get(norm_ref.weight_name(), at::kFloat);
  const at::Tensor scale = scales_.get(linear->group);
  if (weight.requires_grad() || scale.requires_grad())
    return FloatExecutor::norm_linear(norm_ref, refs, x);
  return norm_quantized_linear(x, weight, norm_ref.eps, scale.item<float>(),
                               packed(linear->group, refs));
}

const std::shared_ptr<QuantizedGroup>& QuantizedExecutor::packed(const std::string& group,
                                                                 const modules::LinearRefs& refs) {
  std::shared_ptr<QuantizedGroup>& entry = packed_[group];
  if (!entry) {
    auto made = std::make_shared<QuantizedGroup>(QuantizedGroup{group, {}, {}});
    for (const modules::LinearRef& ref : refs)
      made->weights.push_back(first(*planned_.at(ref.name)));
    entry = std::move(made);
  }
  refresh(*entry, refs);
  return entry;
}

/// All of a frozen weight; a trained one's codes are refresh()'s to make.
QuantizedWeight QuantizedExecutor::first(const PlannedLinear& linear) {
  const modules::WeightStore& store = weights().store();
  if (!store.is_trained(linear.ref.weight_name())) {
    QuantizedWeight weight = quantized_weight(store, linear);
    if (packs(linear, compute_)) pack(weight);
    return weight;
  }
  QuantizedWeight weight;
  weight.args = linear.weights;
  weight.bias = bias_of(store, linear.ref);
  return weight;
}

/// What is trained is taken from the store again, and quantized and packed if it has changed.
void QuantizedExecutor::refresh(QuantizedGroup& group, const modules::LinearRefs& refs) {
  const modules::WeightStore& store = weights().store();
  for (std::size_t i = 0; i < refs.size(); ++i) {
    const modules::LinearRef& ref = refs[i];
    if (ref.bias && store.is_trained(ref.bias_name())) group.weights[i].bias = bias_of(store, ref);
    if (!store.is_trained(ref.weight_name())) continue;
    const bool changed = group.requantize(i, store.get(ref.weight_name()), ref.weight_site());
    if (changed && packs(*planned_.at(ref.name), compute_)) pack(group.weights[i]);
  }
}

}  // namespace dualpath::quant
