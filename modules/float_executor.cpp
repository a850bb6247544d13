#include "modules/float_executor.h"

#include <ATen/ATen.h>

#include "modules/attention.h"
#include "modules/norm.h"

namespace dualpath::modules {

using at::Tensor;

bool is_table(const LinearRef& ref) {
  constexpr std::int64_t kTimesWider = 8;
  return !ref.bias && ref.out_features >= kTimesWider * ref.in_features;
}

Tensor FloatExecutor::linear(const LinearRef& ref, const Tensor& x) {
  constexpr std::int64_t kManyRows = 64;
  if (is_table(ref) && x.dim() == 2 && x.size(0) >= kManyRows) {
    if (const auto table = weights_->packed_table(ref.weight_name())) return table_linear(x, table);
  }
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
                                const Tensor& v, KvCache* cache) {
  if (!cache) return causal_attention(q, k, v);
  const auto [keys, values] = cache->append(ref.name, k, v);
  return causal_attention(q, keys, values);
}

}  // namespace dualpath::modules
