#include "modules/attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/autograd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "modules/kernel_call.h"
#include "modules/kernels/masked_softmax.h"

namespace dualpath::modules {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kBlock = 128;  // queries at a time: scores are [heads, 128, keys]

/// Sizes of an attention; a batch of products is one for each window and key head.
struct Sizes {
  std::int64_t windows, heads, queries, width, kv_heads, keys;
  bool causal;
  Tensor lengths;

  Sizes(const Tensor& q, const Tensor& k, bool is_causal, const Tensor& of_windows)
      : windows(q.size(0)),
        heads(q.size(1)),
        queries(q.size(2)),
        width(q.size(3)),
        kv_heads(k.size(1)),
        keys(k.size(2)),
        causal(is_causal),
        lengths(of_windows) {}

  std::int64_t products() const { return windows * kv_heads; }
  std::int64_t group() const { return heads / kv_heads; }
  float scale() const { return 1.0f / std::sqrt(static_cast<float>(width)); }
};

/// Some queries and the keys that the last of them sees.
struct Block {
  std::int64_t begin, size, keys;
};

template <class Visit>
void for_each_block(const Sizes& sizes, const Visit& visit) {
  for (std::int64_t begin = 0; begin < sizes.queries; begin += kBlock) {
    const std::int64_t size = std::min(kBlock, sizes.queries - begin);
    visit(
        Block{begin, size, sizes.causal ? sizes.keys - sizes.queries + begin + size : sizes.keys});
  }
}

/// [B, kv_heads, S, D] -> [products, S, D].
Tensor batched_keys(const Tensor& k, const Sizes& sizes) {
  return k.reshape({sizes.products(), sizes.keys, sizes.width});
}

/// Of [B, heads, T, D] -> [B, kv_heads, group, block, D], a view.
Tensor block_of(const Tensor& q, const Sizes& sizes, const Block& block) {
  return q.unflatten(1, {sizes.kv_heads, sizes.group()}).narrow(3, block.begin, block.size);
}

/// -> [products, group * block, D].
Tensor batched_queries(const Tensor& q, const Sizes& sizes, const Block& block) {
  return block_of(q, sizes, block).reshape({sizes.products(), -1, sizes.width});
}

/// Calls kernel(rows) from several threads. scores: [products, group * block, keys], contiguous.
template <class Kernel>
void for_score_rows(const Tensor& scores, const Sizes& sizes, const Block& block,
                    const Kernel& kernel) {
  const std::int64_t rows = scores.size(0) * scores.size(1);
  const std::int64_t* lengths =
      sizes.lengths.defined() ? sizes.lengths.const_data_ptr<std::int64_t>() : nullptr;
  const std::int64_t first_visible = sizes.causal ? block.keys - block.size + 1 : block.keys;
  at::parallel_for(0, rows, rows_of_grain(block.keys), [&](std::int64_t begin, std::int64_t end) {
    kernel(ScoreRows{element_of(scores.scalar_type()), scores.data_ptr(), begin, end - begin,
                     block.size, block.keys, first_visible, sizes.causal, lengths,
                     rows / sizes.windows});
  });
}

/// softmax(q k^T / sqrt(D)) of a block: [products, group * block, keys].
Tensor weights_of(const Tensor& queries, const Tensor& keys, const Sizes& sizes,
                  const Block& block) {
  const Tensor scores = at::bmm(queries, keys.transpose(1, 2)).contiguous();
  for_score_rows(scores, sizes, block,
                 [&](const ScoreRows& rows) { masked_softmax_cpu(rows, sizes.scale()); });
  return scores;
}

/// Laid out so that [B, T, heads * D] is a view of it.
Tensor empty_output(const Tensor& q, const Sizes& sizes) {
  return at::empty({sizes.windows, sizes.queries, sizes.heads, sizes.width}, q.options())
      .transpose(1, 2);
}

void put_block(const Tensor& into, const Tensor& value, const Sizes& sizes, const Block& block) {
  Tensor view = block_of(into, sizes, block);
  view.copy_(value.view(view.sizes()));
}

struct BlockedAttention : torch::autograd::Function<BlockedAttention> {
  static Tensor forward(AutogradContext* ctx, const Tensor& q, const Tensor& k, const Tensor& v,
                        bool causal, const std::optional<Tensor>& given_lengths) {
    const Tensor lengths = given_lengths.value_or(Tensor());
    ctx->save_for_backward({q, k, v, lengths});
    ctx->saved_data["causal"] = causal;
    const Sizes sizes(q, k, causal, lengths);
    const Tensor keys = batched_keys(k, sizes), values = batched_keys(v, sizes);
    const Tensor output = empty_output(q, sizes);
    for_each_block(sizes, [&](const Block& block) {
      const Tensor weights =
          weights_of(batched_queries(q, sizes, block), keys.narrow(1, 0, block.keys), sizes, block);
      put_block(output, at::bmm(weights, values.narrow(1, 0, block.keys)), sizes, block);
    });
    return output;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    const Tensor &q = saved[0], &k = saved[1], &v = saved[2];
    const Sizes sizes(q, k, ctx->saved_data["causal"].toBool(), saved[3]);
    const Tensor keys = batched_keys(k, sizes), values = batched_keys(v, sizes);
    const Tensor of_q = empty_output(q, sizes);
    const Tensor of_keys = at::zeros(keys.sizes(), keys.options().dtype(at::kFloat)),
                 of_values = at::zeros_like(of_keys);
    for_each_block(sizes, [&](const Block& block) {
      const auto seen = [&](const Tensor& all) { return all.narrow(1, 0, block.keys); };
      const Tensor queries = batched_queries(q, sizes, block),
                   of_output = batched_queries(grads[0], sizes, block);
      const Tensor weights = weights_of(queries, seen(keys), sizes, block);
      seen(of_values).add_(at::bmm(weights.transpose(1, 2), of_output));
      const Tensor slope = at::bmm(of_output, seen(values).transpose(1, 2)).contiguous();
      for_score_rows(slope, sizes, block, [&](const ScoreRows& rows) {
        masked_softmax_backward_cpu(rows, weights.const_data_ptr(), sizes.scale());
      });
      put_block(of_q, at::bmm(slope, seen(keys)), sizes, block);
      seen(of_keys).add_(at::bmm(slope.transpose(1, 2), queries));
    });
    const auto as = [&](const Tensor& sum, const Tensor& like) {
      return sum.to(like.scalar_type()).view(like.sizes());
    };
    return {of_q, as(of_keys, k), as(of_values, v), Tensor(), Tensor()};
  }
};

/// [B or 1, 1, T or 1, S]: the keys that a query sees; undefined where it sees all.
Tensor seen_keys(const Tensor& q, const Tensor& k, const Visibility& visibility) {
  const std::int64_t queries = q.size(2), keys = k.size(2);
  Tensor seen;
  if (visibility.causal && queries > 1)
    seen = at::ones({1, 1, queries, keys}, q.options().dtype(at::kBool)).tril(keys - queries);
  if (!visibility.lengths.defined()) return seen;
  const Tensor real = at::arange(keys, visibility.lengths.options())
                          .lt(visibility.lengths.unsqueeze(1))
                          .view({-1, 1, 1, keys});
  return seen.defined() ? seen.logical_and(real) : real;
}

/// torch's own, on other devices.
Tensor composed(const Tensor& q, const Tensor& k, const Tensor& v, const Visibility& visibility) {
  const bool plain = visibility.causal && q.size(2) == k.size(2) && !visibility.lengths.defined();
  std::optional<Tensor> mask;
  if (const Tensor seen = plain ? Tensor() : seen_keys(q, k, visibility); seen.defined())
    mask = seen;
  return at::scaled_dot_product_attention(q, k, v, mask, /*dropout_p=*/0.0, /*is_causal=*/plain,
                                          /*scale=*/std::nullopt,
                                          /*enable_gqa=*/q.size(1) != k.size(1));
}

/// Scores are made whole and in float32.
Tensor biased(const Tensor& q, const Tensor& k, const Tensor& v, const Visibility& visibility) {
  const std::int64_t group = q.size(1) / k.size(1);
  const auto repeated = [&](const Tensor& x) {
    return group == 1 ? x : x.repeat_interleave(group, /*dim=*/1);
  };
  const double scale = 1.0 / std::sqrt(static_cast<double>(q.size(3)));
  Tensor scores = at::matmul(q, repeated(k).transpose(2, 3)).to(at::kFloat) * scale +
                  visibility.bias.to(at::kFloat);
  if (const Tensor seen = seen_keys(q, k, visibility); seen.defined())
    scores = scores.masked_fill(seen.logical_not(), -std::numeric_limits<float>::infinity());
  return at::matmul(at::softmax(scores, -1).to(v.scalar_type()), repeated(v));
}

}  // namespace

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Visibility& visibility) {
  if (visibility.bias.defined()) return biased(q, k, v, visibility);
  if (!q.is_cpu()) return composed(q, k, v, visibility);
  const auto lengths =
      visibility.lengths.defined() ? std::optional(visibility.lengths) : std::optional<Tensor>();
  return BlockedAttention::apply(q, k, v, visibility.causal, lengths);
}

}  // namespace dualpath::modules
