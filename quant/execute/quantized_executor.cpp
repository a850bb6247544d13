#include "quant/execute/quantized_executor.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "modules/execute/compute_weights.h"
#include "quant/execute/modality_rows.h"
#include "quant/execute/norm_linear.h"
#include "quant/execute/quantized_linear.h"
#include "quant/execute/weight_only_linear.h"
#include "quant/ops/integer_attention.h"
#include "quant/ops/quantized_conv.h"
#include "quant/stored/stored_weight.h"

namespace dualpath::quant {
namespace {

/// The store that `weights` reads. It lives as long as they do.
std::shared_ptr<const modules::WeightStore> store_of(
    const std::shared_ptr<modules::ComputeWeights>& weights) {
  return {weights, &weights->store()};
}

bool are_named_alike(const std::vector<QuantizedWeight>& weights, const modules::LinearRefs& refs) {
  return std::ranges::equal(weights, refs, {}, &QuantizedWeight::name, &modules::LinearRef::name);
}

}  // namespace

using modules::Operand;

QuantizedExecutor::QuantizedExecutor(std::shared_ptr<modules::ComputeWeights> weights,
                                     const Plan& plan, const ActivationScales& scales,
                                     Compute compute, InputGradients input_gradients,
                                     std::shared_ptr<CodeStore> codes)
    : FloatExecutor(std::move(weights)),
      scales_(scales),
      compute_(compute),
      input_gradients_(input_gradients),
      codes_(codes ? std::move(codes)
                   : std::make_shared<CodeStore>(store_of(shared_weights()), device())) {
  TORCH_CHECK(&codes_->weights() == &this->weights().store(), "codes of another store's weights");
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
  kinds_ = separate_.empty() || !state.kinds.defined() ? at::Tensor() : state.kinds_on_host();
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
  const std::shared_ptr<QuantizedGroup>& group = weights_of(linear->group, refs);
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
  const std::shared_ptr<QuantizedGroup>& group = weights_of(linear->group, refs);
  return by_scale(linear->group, x, [&](const at::Tensor& rows, const at::Tensor& scale) {
    return norm_quantized_linear(rows, weight, norm_ref.eps, scale, group);
  });
}

at::Tensor QuantizedExecutor::embedding(const modules::EmbeddingRef& ref, const at::Tensor& ids) {
  const auto found = by_weight_.find(weights().store().canonical(ref.weight_name()));
  if (found == by_weight_.end()) return FloatExecutor::embedding(ref, ids);
  const PlannedLinear& head = *found->second;
  return weights_of(head.group, {head.ref})->weights.front().rows(ids, weights().dtype());
}

at::Tensor QuantizedExecutor::conv(const modules::ConvRef& ref, const at::Tensor& x) {
  const auto found = convs_.find(ref.name);
  if (found == convs_.end()) return FloatExecutor::conv(ref, x);
  const PlannedConv& planned = *found->second;
  const auto& [grid, bias] = conv_weight(planned);
  return quantized_conv(x, scales_.get(planned.group), grid, bias, ref, ref.input_site(),
                        planned.input_activations.num_bits);
}

const QuantizedExecutor::ConvWeight& QuantizedExecutor::conv_weight(const PlannedConv& conv) {
  const auto found = conv_weights_.find(conv.ref.name);
  if (found != conv_weights_.end()) return found->second;
  const modules::WeightStore& store = weights().store();
  const ConvWeight weight{.grid = grid_weight(store, conv, device()),
                          .bias = bias_of(store, conv.ref, device())};
  return conv_weights_.emplace(conv.ref.name, weight).first->second;
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

void QuantizedExecutor::release() {
  groups_.clear();
  conv_weights_.clear();
  FloatExecutor::release();
}

const std::shared_ptr<QuantizedGroup>& QuantizedExecutor::weights_of(
    const std::string& group, const modules::LinearRefs& refs) {
  std::shared_ptr<QuantizedGroup>& weights = groups_[group];
  if (!weights) weights = first_weights(group, refs);
  TORCH_CHECK(are_named_alike(weights->weights, refs), group,
              ": its tensor group is met with other linears than the first time");
  refresh(*weights, refs);
  return weights;
}

std::shared_ptr<QuantizedGroup> QuantizedExecutor::first_weights(
    const std::string& group, const modules::LinearRefs& refs) const {
  auto weights = std::make_shared<QuantizedGroup>(QuantizedGroup{.site = group, .weights = {}});
  for (const modules::LinearRef& ref : refs)
    weights->weights.push_back(
        {.name = ref.name, .bias = bias_of(codes_->weights(), ref, device())});
  const PlannedLinear& linear = *planned(refs.front());
  if (linear.input_activations) weights->input_bits = linear.input_activations->num_bits;
  if (linear.takes_integer_gradients()) weights->input_gradients = input_gradients_;
  return weights;
}

/// Takes trained weights from the store again. Prepares again the codes that have changed.
void QuantizedExecutor::refresh(QuantizedGroup& group, const modules::LinearRefs& refs) {
  const modules::WeightStore& store = weights().store();
  for (std::size_t i = 0; i < refs.size(); ++i) {
    const modules::LinearRef& ref = refs[i];
    QuantizedWeight& weight = group.weights[i];
    if (ref.bias && store.is_trained(ref.bias_name())) weight.bias = bias_of(store, ref, device());
    const bool is_trained = store.is_trained(ref.weight_name());
    if (weight.grid && !is_trained) continue;
    if (is_trained) weight.source = matrix_of(store, ref);
    const PlannedLinear& linear = *planned_.at(ref.name);
    std::shared_ptr<const GridWeight> codes = codes_->get(linear);
    const WeightKind kind = kind_of(linear, compute_, codes->codes.device());
    group.set(i, std::move(codes), kind);
  }
}

WeightKind kind_of(const PlannedLinear& linear, Compute compute, at::Device device) {
  const bool has_kernel = compute == Compute::kInteger && linear.input_activations;
  return has_kernel ? fastest_kind(device, linear.weights.group_size) : WeightKind::kCodes;
}

}  // namespace dualpath::quant
