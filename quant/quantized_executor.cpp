#include "quant/quantized_executor.h"

#include <ATen/ATen.h>

#include "quant/integer_linear.h"
#include "quant/norm_linear.h"
#include "quant/quantized_linear.h"

namespace dualpath::quant {
namespace {

at::Tensor bias_of(const modules::WeightStore& weights, const modules::LinearRef& ref) {
  return ref.bias ? weights.get(ref.bias_name()).to(at::kFloat).contiguous() : at::Tensor();
}

}  // namespace

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
  if (linear->input_activations.dynamic) return token_quantized_linear(x, group);
  return quantized_linear(x, scales_.get(linear->group), group);
}

std::vector<at::Tensor> QuantizedExecutor::norm_linear(const modules::NormRef& norm_ref,
                                                       const modules::LinearRefs& refs,
                                                       const at::Tensor& x) {
  const PlannedLinear* linear = planned(refs);
  if (!linear || linear->input_activations.dynamic)
    return FloatExecutor::norm_linear(norm_ref, refs, x);
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
    for (const modules::LinearRef& ref : refs) made->weights.push_back(first(ref));
    entry = std::move(made);
  }
  refresh(*entry, refs);
  return entry;
}

/// All of a frozen weight; a trained one's codes are refresh()'s to make.
QuantizedWeight QuantizedExecutor::first(const modules::LinearRef& ref) {
  const modules::WeightStore& store = weights().store();
  QuantizedWeight weight;
  if (store.is_trained(ref.weight_name())) {
    weight.bias = bias_of(store, ref);
  } else {
    weight = quantized_weight(store, ref);
    if (compute_ == Compute::kInteger) pack(weight);
  }
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
    if (changed && compute_ == Compute::kInteger) pack(group.weights[i]);
  }
}

QuantizedWeight quantized_weight(const modules::WeightStore& weights,
                                 const modules::LinearRef& ref) {
  const at::Tensor values = weights.get(ref.weight_name());
  QuantizedWeight weight =
      values.scalar_type() == at::kChar
          ? QuantizedWeight{values, weights.get(ref.name + ".weight_scale").flatten(), {}, {}}
          : quantize_weight(values, ref.weight_site());
  weight.bias = bias_of(weights, ref);
  return weight;
}

}  // namespace dualpath::quant
