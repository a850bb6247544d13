#include "quant/simulate_executor.h"

#include <ATen/ATen.h>

namespace dualpath::quant {

SimulateExecutor::SimulateExecutor(std::shared_ptr<modules::ComputeWeights> weights,
                                   const Plan& plan, const ActivationScales& scales)
    : FloatExecutor(std::move(weights)), scales_(scales) {
  for (const PlannedLinear& linear : plan.linears) planned_[linear.ref.name] = &linear;
}

std::vector<at::Tensor> SimulateExecutor::linear(const modules::LinearRefs& refs,
                                                 const at::Tensor& x) {
  const auto planned = planned_.find(refs.front().name);
  if (planned == planned_.end()) return FloatExecutor::linear(refs, x);
  const std::string& group = planned->second->group;
  return quantized_linear(x, scales_.get(group), packed(group, refs));
}

const std::shared_ptr<QuantizedGroup>& SimulateExecutor::packed(const std::string& group,
                                                                const modules::LinearRefs& refs) {
  std::shared_ptr<QuantizedGroup>& entry = packed_[group];
  if (!entry) {
    auto made = std::make_shared<QuantizedGroup>(QuantizedGroup{group, {}, {}});
    for (const modules::LinearRef& ref : refs)
      made->weights.push_back(quantized_weight(weights().store(), ref));
    entry = std::move(made);
  }
  return entry;
}

QuantizedWeight quantized_weight(const modules::WeightStore& weights,
                                 const modules::LinearRef& ref) {
  const at::Tensor values = weights.get(ref.weight_name());
  QuantizedWeight weight =
      values.scalar_type() == at::kChar
          ? QuantizedWeight{values, weights.get(ref.name + ".weight_scale").flatten(), {}}
          : quantize_weight(values, ref.weight_site());
  if (ref.bias) weight.bias = weights.get(ref.bias_name()).to(at::kFloat).contiguous();
  return weight;
}

}  // namespace dualpath::quant
