#include "modules/float_executor.h"

#include <ATen/ATen.h>

#include <optional>

#include "modules/norm.h"

namespace dualpath::modules {

using at::Tensor;

Tensor FloatExecutor::linear(const LinearRef& ref, const Tensor& x) {
  const Tensor bias = ref.bias ? weights_->get(ref.bias_name()) : Tensor();
  return at::linear(x, weights_->get(ref.weight_name()), bias);
}

std::vector<Tensor> FloatExecutor::linear(const LinearRefs& refs, const Tensor& x) {
  std::vector<Tensor> results;
  results.reserve(refs.size());
  for (const LinearRef& ref : refs) results.push_back(linear(ref, x));
  return results;
}

Tensor FloatExecutor::norm(const NormRef& ref, const Tensor& x) {
  return rms_norm(x, weights_->get(ref.weight_name(), at::kFloat), ref.eps);
}

Tensor FloatExecutor::embedding(const EmbeddingRef& ref, const Tensor& ids) {
  return at::embedding(weights_->get(ref.weight_name()), ids);
}

Tensor FloatExecutor::attention(const AttentionRef& ref, const Tensor& q, const Tensor& k,
                                const Tensor& v) {
  const std::int64_t queries = q.size(2), keys = k.size(2);
  const bool grouped = ref.num_heads != ref.num_key_value_heads;
  std::optional<Tensor> mask;
  if (queries != keys &&
      queries > 1) {  // a prompt behind a cache: row t sees keys up to keys - queries + t
    mask = at::ones({queries, keys}, q.options().dtype(at::kBool)).tril(keys - queries);
  }
  return at::scaled_dot_product_attention(q, k, v, mask, /*dropout_p=*/0.0,
                                          /*is_causal=*/queries == keys,
                                          /*scale=*/std::nullopt, grouped);
}

}  // namespace dualpath::modules
