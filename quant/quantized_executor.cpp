#include "quant/quantized_executor.h"

#include <ATen/ATen.h>

#include "quant/integer_linear.h"
#include "quant/norm_linear.h"

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
  return quantized_linear(x, scales_.get(linear->group), packed(linear->group, refs));
}

std::vector<at::Tensor> QuantizedExecutor::norm_linear(const modules::NormRef& norm_ref,
                                                       const modules::LinearRefs& refs,
                                                       const at::Tensor& x) {
  const PlannedLinear* linear = planned(refs);
  if (!linear) return FloatExecutor::norm_linear(norm_ref, refs, x);
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
    for (const modules::LinearRef& ref : refs) {
      made->weights.push_back(quantized_weight(weights().store(), ref));
      if (compute_ == Compute::kInteger) pack(made->weights.back());
    }
    entry = std::move(made);
  }
  return entry;
}

QuantizedWeight quantized_weight(const modules::WeightStore& weights,
                                 const modules::LinearRef& ref) {
  const at::Tensor values = weights.get(ref.weight_name());
  QuantizedWeight weight =
      values.scalar_type() == at::kChar
          ? QuantizedWeight{values, weights.get(ref.name + ".weight_scale").flatten(), {}, {}}
          : quantize_weight(values, ref.weight_site());
  if (ref.bias) weight.bias = weights.get(ref.bias_name()).to(at::kFloat).contiguous();
  return weight;
}

}  // namespace dualpath::quant
