#include "quant/execute/quantized_executor.h"

#include <ATen/ATen.h>

#include "modules/execute/compute_weights.h"
#include "quant/execute/modality_rows.h"
#include "quant/execute/norm_linear.h"
#include "quant/execute/quantized_linear.h"
#include "quant/execute/weight_only_linear.h"
#include "quant/ops/integer_attention.h"
#include "quant/ops/integer_linear.h"
#include "quant/ops/quantized_conv.h"
#include "quant/stored/stored_weight.h"

namespace dualpath::quant {

using modules::Operand;

QuantizedExecutor::QuantizedExecutor(std::shared_ptr<modules::ComputeWeights> weights,
                                     const Plan& plan, const ActivationScales& scales,
                                     Compute compute, InputGradients input_gradients)
    : FloatExecutor(std::move(weights)),
      scales_(scales),
      compute_(compute),
      input_gradients_(input_gradients) {
  for (const PlannedLinear& linear : plan.linears) planned_[linear.ref.name] = &linear;
  by_weight_ = plan.by_weight(this->weights().store());
  for (const PlannedConv& conv : plan.convs) convs_[conv.ref.name] = &conv;
  for (const PlannedAttention& attention : plan.attentions)
    attentions_[attention.ref.name] = &attention;
  for (const TensorGroup& group : plan.groups) {
    if (!group.separate.empty()) separate_[group.name] = &group;
  }
}

void QuantizedExecutor::begin(const modules::Stage&, const modules::State& state) {
  kinds_ = state.kinds;
}

const PlannedLinear* QuantizedExecutor::planned(const modules::LinearRef& ref) const {
  const auto found = planned_.find(ref.name);
  return found == planned_.end() ? nullptr : found->second;
}

std::size_t QuantizedExecutor::alike(const modules::LinearRefs& refs, std::size_t first) const {
  const auto group = [&](std::size_t i) {
    const PlannedLinear* linear = planned(refs[i]);
    return linear ? &linear->group : nullptr;
  };
  const std::string* wanted = group(first);
  std::size_t last = first + 1;
  while (last < refs.size()) {
    const std::string* found = group(last);
    if (!wanted != !found || (wanted && *wanted != *found)) break;
    ++last;
  }
  return last - first;
}

std::vector<at::Tensor> QuantizedExecutor::linear(const modules::LinearRefs& refs,
                                                  const at::Tensor& x) {
  std::vector<at::Tensor> results;
  for (std::size_t first = 0; first < refs.size();) {
    const std::size_t count = alike(refs, first);
    if (count == refs.size()) return linear_alike(refs, x);
    const auto begin = refs.begin() + static_cast<std::ptrdiff_t>(first);
    for (at::Tensor& y : linear_alike({begin, begin + static_cast<std::ptrdiff_t>(count)}, x))
      results.push_back(std::move(y));
    first += count;
  }
  return results;
}

std::vector<at::Tensor> QuantizedExecutor::linear_alike(const modules::LinearRefs& refs,
                                                        const at::Tensor& x) {
  const PlannedLinear* linear = planned(refs.front());
  if (!linear) return FloatExecutor::linear(refs, x);
  const std::shared_ptr<QuantizedGroup>& group = packed(linear->group, refs);
  if (!linear->input_activations) return weight_only_linear(x, *group);
  if (linear->input_activations->dynamic) return token_quantized_linear(x, group);
  return by_scale(linear->group, x, [&](const at::Tensor& rows, const at::Tensor& scale) {
    return quantized_linear(rows, scale, group);
  });
}

std::vector<at::Tensor> QuantizedExecutor::by_scale(
    const std::string& group, const at::Tensor& x,
    const std::function<std::vector<at::Tensor>(const at::Tensor&, const at::Tensor&)>& of_rows) {
  const auto found = separate_.find(group);
  if (found == separate_.end()) return of_rows(x, scales_.get(group));
  return by_modality(x, kinds_, [&](const at::Tensor& rows, modules::Modality modality) {
    return of_rows(rows, scales_.get(found->second->scale_name(modality)));
  });
}

std::vector<at::Tensor> QuantizedExecutor::norm_linear(const modules::NormRef& norm_ref,
                                                       const modules::LinearRefs& refs,
                                                       const at::Tensor& x) {
  const PlannedLinear* linear = planned(refs.front());
  const bool is_rms = norm_ref.kind == modules::NormKind::kRms;
  if (!is_rms || !linear || !linear->is_static() || alike(refs, 0) < refs.size())
    return FloatExecutor::norm_linear(norm_ref, refs, x);
  const at::Tensor weight = weights().get(norm_ref.weight_name(), at::kFloat);
  if (weight.requires_grad() || scales_.are_trained())
    return FloatExecutor::norm_linear(norm_ref, refs, x);
  const std::shared_ptr<QuantizedGroup>& group = packed(linear->group, refs);
  return by_scale(linear->group, x, [&](const at::Tensor& rows, const at::Tensor& scale) {
    return norm_quantized_linear(rows, weight, norm_ref.eps, scale.item<float>(), group);
  });
}

at::Tensor QuantizedExecutor::embedding(const modules::EmbeddingRef& ref, const at::Tensor& ids) {
  const auto found = by_weight_.find(weights().store().canonical(ref.weight_name()));
  if (found == by_weight_.end()) return FloatExecutor::embedding(ref, ids);
  const PlannedLinear& head = *found->second;
  return packed(head.group, {head.ref})->weights.front().rows(ids, weights().dtype());
}

at::Tensor QuantizedExecutor::conv(const modules::ConvRef& ref, const at::Tensor& x) {
  const auto found = convs_.find(ref.name);
  if (found == convs_.end()) return FloatExecutor::conv(ref, x);
  const PlannedConv& planned = *found->second;
  const auto [weight, is_new] = conv_weights_.try_emplace(ref.name);
  if (is_new) weight->second = quantized_weight(weights().store(), planned);
  return quantized_conv(x, scales_.get(planned.group), weight->second, ref, ref.input_site(),
                        planned.input_activations.num_bits);
}

at::Tensor QuantizedExecutor::attention(const modules::AttentionRef& ref, const at::Tensor& q,
                                        const at::Tensor& k, const at::Tensor& v,
                                        const modules::AttentionContext& context) {
  const auto found = attentions_.find(ref.name);
  if (found == attentions_.end()) return FloatExecutor::attention(ref, q, k, v, context);
  const PlannedAttention& planned = *found->second;
  const auto quantized = [&](const at::Tensor& x, Operand operand) {
    return quantize_heads(x, head_scales(scales_, planned.head_groups(operand)), ref.site(operand),
                          planned.args.num_bits);
  };
  HeadCodes keys = quantized(k, Operand::kKey), values = quantized(v, Operand::kValue);
  if (context.cache) {
    const auto [held_keys, held_values] =
        context.cache->append(ref.name, keys.codes.to(at::kChar), values.codes.to(at::kChar));
    keys.codes = held_keys.to(at::kFloat);
    values.codes = held_values.to(at::kFloat);
  }
  if (!planned.products)
    return modules::attention(q, keys.dequantized(k.scalar_type()),
                              values.dequantized(v.scalar_type()),
                              modules::visibility_of(ref, context));
  return integer_attention(quantized(q, Operand::kQuery), keys, values).to(q.scalar_type());
}

const std::shared_ptr<QuantizedGroup>& QuantizedExecutor::packed(const std::string& group,
                                                                 const modules::LinearRefs& refs) {
  std::shared_ptr<QuantizedGroup>& entry = packed_[group];
  if (!entry) {
    auto made = std::make_shared<QuantizedGroup>(QuantizedGroup{group, {}, {}});
    for (const modules::LinearRef& ref : refs)
      made->weights.push_back(first(*planned_.at(ref.name)));
    if (planned(refs.front())->takes_integer_gradients()) made->input_gradients = input_gradients_;
    entry = std::move(made);
  }
  refresh(*entry, refs);
  return entry;
}

bool packs(const PlannedLinear& linear, Compute compute) {
  return linear.input_activations && has_integer_kernel(linear.weights.strategy, compute);
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
    const bool changed = group.requantize(i, matrix_of(store, ref), ref.weight_site());
    if (changed && packs(*planned_.at(ref.name), compute_)) pack(group.weights[i]);
  }
}

}  // namespace dualpath::quant
