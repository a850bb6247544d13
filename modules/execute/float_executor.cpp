#include "modules/execute/float_executor.h"

#include <ATen/ATen.h>

#include "modules/execute/compute_weights.h"
#include "modules/ops/convolution.h"
#include "modules/ops/norm.h"

namespace dualpath::modules {

using at::Tensor;

Visibility visibility_of(const AttentionRef& ref, const AttentionContext& context) {
  const Tensor lengths = context.mask.defined() ? context.mask.sum(1) : Tensor();
  return {ref.causal, lengths, context.bias};
}

bool is_table(const LinearRef& ref) {
  constexpr std::int64_t kTimesWider = 8;
  return !ref.bias && ref.out_features >= kTimesWider * ref.in_features;
}

Tensor FloatExecutor::linear(const LinearRef& ref, const Tensor& x) {
  constexpr std::int64_t kManyRows = 64;
  const Tensor bias = ref.bias ? weights_->get(ref.bias_name()) : Tensor();
  // A way back would want another layout, so that all would be there twice.
  const bool one_way = !at::GradMode::is_enabled() || !x.requires_grad();
  const bool may_pack = is_table(ref) || (weights_->packing() == Packing::kLinears && one_way);
  if (may_pack && x.numel() >= kManyRows * ref.in_features && !bias.requires_grad()) {
    if (const auto packed = weights_->packed(ref.weight_name()))
      return packed_linear(x, packed, bias);
  }
  return at::linear(x, weights_->get(ref.weight_name()).flatten(1), bias);
}

std::vector<Tensor> FloatExecutor::linear(const LinearRefs& refs, const Tensor& x) {
  std::vector<Tensor> results;
  results.reserve(refs.size());
  for (const LinearRef& ref : refs) results.push_back(linear(ref, x));
  return results;
}

Tensor FloatExecutor::conv(const ConvRef& ref, const Tensor& x) {
  const Tensor bias = ref.bias ? weights_->get(ref.bias_name()) : Tensor();
  return convolution(ref, x, weights_->get(ref.weight_name()), bias);
}

Tensor FloatExecutor::norm(const NormRef& ref, const Tensor& x) {
  const auto tensor = [&](const std::string& name) { return weights_->get(name, at::kFloat); };
  const Tensor weight = tensor(ref.weight_name());
  switch (ref.kind) {
    case NormKind::kRms:
      return rms_norm(x, weight, ref.eps);
    case NormKind::kLayer:
      return layer_norm(x, weight, tensor(ref.bias_name()), ref.eps);
    case NormKind::kBatch:
      return frozen_batch_norm(x,
                               {weight, tensor(ref.bias_name()), tensor(ref.name + ".running_mean"),
                                tensor(ref.name + ".running_var")},
                               ref.eps);
  }
  return x;
}

Tensor FloatExecutor::embedding(const EmbeddingRef& ref, const Tensor& ids) {
  return at::embedding(weights_->get(ref.weight_name()), ids);
}

Tensor FloatExecutor::attention(const AttentionRef& ref, const Tensor& q, const Tensor& k,
                                const Tensor& v, const AttentionContext& context) {
  const Visibility visibility = visibility_of(ref, context);
  if (!context.cache) return modules::attention(q, k, v, visibility);
  const auto [keys, values] = context.cache->append(ref.name, k, v);
  return modules::attention(q, keys, values, visibility);
}

}  // namespace dualpath::modules
