#include "quant/ops/integer_attention.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "quant/ops/differentiable_codes.h"

namespace dualpath::quant {
namespace {

using torch::Tensor;

constexpr int kProbabilityQmax = 255;
constexpr float kProbabilityScale = 1.0f / kProbabilityQmax;

/// The keys that a row does not see: [T, S].
Tensor unseen(const Tensor& scores) {
  const std::int64_t rows = scores.size(-2), keys = scores.size(-1);
  return at::ones({rows, keys}, scores.options().dtype(at::kBool)).triu(keys - rows + 1);
}

/// Multiplies codes of probabilities and of values. float32 sums them exactly up to 512 keys;
/// beyond, sums of 512 are added in float64.
Tensor exact_product(const Tensor& probabilities, const Tensor& values) {
  constexpr std::int64_t kExact = 512;  // 512 * 255 * 128 < 2^24
  const std::int64_t keys = values.size(-2);
  if (keys <= kExact) return at::matmul(probabilities, values);
  Tensor sum;
  for (std::int64_t first = 0; first < keys; first += kExact) {
    const std::int64_t count = std::min(kExact, keys - first);
    const Tensor part =
        at::matmul(probabilities.narrow(-1, first, count), values.narrow(-2, first, count))
            .to(at::kDouble);
    sum = sum.defined() ? sum + part : part;
  }
  return sum.to(at::kFloat);
}

/// Attends with all queries to the keys that the last of them sees.
Tensor attend(const HeadCodes& query, const HeadCodes& key, const HeadCodes& value) {
  const std::int64_t heads = query.codes.size(1), rows = query.codes.size(2),
                     width = query.codes.size(3), kv_heads = key.codes.size(1),
                     keys = key.codes.size(2), repeats = heads / kv_heads;
  const Tensor queries = query.codes.reshape({-1, kv_heads, repeats * rows, width});
  const Tensor sums =
      at::matmul(queries, key.codes.transpose(-2, -1)).view({-1, kv_heads, repeats, rows, keys});
  const Tensor scale = query.scale.view({kv_heads, repeats, 1, 1}) *
                       key.scale.view({kv_heads, 1, 1, 1}) / std::sqrt(static_cast<float>(width));
  const Tensor scores =
      (sums * scale).masked_fill(unseen(sums), -std::numeric_limits<float>::infinity());
  const Tensor probabilities =
      codes_of_levels(at::softmax(scores, -1) / kProbabilityScale, 0, kProbabilityQmax);
  const Tensor mixed =
      exact_product(probabilities.view({-1, kv_heads, repeats * rows, keys}), value.codes);
  return (mixed * (value.scale * kProbabilityScale)).reshape({-1, heads, rows, width});
}

HeadCodes part(const HeadCodes& operand, std::int64_t first, std::int64_t count) {
  return {.codes = operand.codes.narrow(2, first, count), .scale = operand.scale};
}

}  // namespace

HeadCodes quantize_heads(const Tensor& x, const Tensor& scale, const std::string& site,
                         int num_bits) {
  return {.codes = activation_codes(x, scale, site, num_bits), .scale = scale};
}

Tensor integer_attention(const HeadCodes& query, const HeadCodes& key, const HeadCodes& value) {
  constexpr std::int64_t kWidest = 1024;  // 1024 * 128 * 128 = 2^24
  constexpr std::int64_t kBlock = 128;    // queries a block: bounds the memory held at a time
  const std::int64_t width = query.codes.size(3);
  TORCH_CHECK(width <= kWidest, "heads are ", width, " wide, expected at most ", kWidest);
  const std::int64_t rows = query.codes.size(2), before = key.codes.size(2) - rows;
  std::vector<Tensor> blocks;
  for (std::int64_t first = 0; first < rows; first += kBlock) {
    const std::int64_t count = std::min(kBlock, rows - first), seen = before + first + count;
    blocks.push_back(attend(part(query, first, count), part(key, 0, seen), part(value, 0, seen)));
  }
  return at::cat(blocks, 2);
}

}  // namespace dualpath::quant
