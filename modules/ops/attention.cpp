#include "modules/ops/attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/autograd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "modules/kernels/masked_softmax.h"
#include "modules/ops/kernel_call.h"
#include "modules/ops/on_device.h"
#include "modules/ops/optional_tensor.h"

namespace dualpath::modules {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Sizes of an attention.
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

  std::int64_t group() const { return heads / kv_heads; }
  float scale() const { return 1.0f / std::sqrt(static_cast<float>(width)); }
  /// Queries per block. Fewer if causal, since scores of keys that a query does not see are
  /// computed in vain.
  std::int64_t block() const {
    const std::int64_t most = causal ? 128 : 256;
    const std::int64_t blocks = std::max<std::int64_t>(1, (queries + most - 1) / most);
    return std::max<std::int64_t>(1, (queries + blocks - 1) / blocks);
  }
  /// Key heads of a window at a time: so many that their scores fit into a core's second-level
  /// cache.
  std::int64_t chunk() const {
    constexpr std::int64_t kScores = 1 << 18;
    const std::int64_t of_head = group() * block() * std::max<std::int64_t>(1, keys);
    return std::clamp<std::int64_t>(kScores / of_head, 1, kv_heads);
  }
  std::int64_t blocks() const { return (queries + block() - 1) / block(); }
};

/// Some key heads of a window, and their query heads.
struct Chunk {
  std::int64_t window, first, size;

  /// Selects from [B, kv_heads, ...]: [size, ...], a view.
  Tensor keys(const Tensor& k) const { return k.select(0, window).narrow(0, first, size); }
  /// Selects from [B, heads, T, D]: [size, group, T, D], a view.
  Tensor queries(const Tensor& q, const Sizes& sizes) const {
    return q.select(0, window).unflatten(0, {sizes.kv_heads, sizes.group()}).narrow(0, first, size);
  }
};

/// Some queries and the keys that the last of them sees.
struct Block {
  std::size_t index;
  std::int64_t begin, size, keys;
};

/// Calls visit(chunk) for all chunks, on several threads if that keeps them busy; otherwise visit()
/// may use the threads.
template <class Visit>
void for_each_chunk(const Sizes& sizes, const Visit& visit) {
  const std::int64_t step = sizes.chunk(), chunks = (sizes.kv_heads + step - 1) / step;
  const auto visit_some = [&](std::int64_t begin, std::int64_t end) {
    const at::NoGradGuard no_grad;  // a thread's own
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = i % chunks * step;
      visit(Chunk{i / chunks, first, std::min(step, sizes.kv_heads - first)});
    }
  };
  const std::int64_t count = sizes.windows * chunks;
  if (count < at::get_num_threads()) return visit_some(0, count);
  at::parallel_for(0, count, 1, visit_some);
}

template <class Visit>
void for_each_block(const Sizes& sizes, const Visit& visit) {
  const std::int64_t step = sizes.block();
  for (std::int64_t i = 0; i < sizes.blocks(); ++i) {
    const std::int64_t begin = i * step, size = std::min(step, sizes.queries - begin);
    const std::int64_t later = sizes.causal ? sizes.queries - begin - size : 0;
    visit(Block{static_cast<std::size_t>(i), begin, size, sizes.keys - later});
  }
}

/// Rows of a chunk's queries: [size, group, T, D] -> [size, group * block, D], contiguous.
Tensor rows_of(const Tensor& queries, const Block& block) {
  return queries.narrow(2, block.begin, block.size).flatten(1, 2).contiguous();
}

void put_rows(const Tensor& queries, const Tensor& rows, const Block& block) {
  Tensor view = queries.narrow(2, block.begin, block.size);
  view.copy_(rows.view(view.sizes()));
}

/// Calls kernel(rows), from several threads unless it is already on one of them. scores: [size,
/// group * block, keys], contiguous.
template <class Kernel>
void for_score_rows(const Tensor& scores, const Sizes& sizes, const Chunk& chunk,
                    const Block& block, const Kernel& kernel) {
  const std::int64_t real = sizes.lengths.defined()
                                ? sizes.lengths.const_data_ptr<std::int64_t>()[chunk.window]
                                : block.keys;
  const std::int64_t first_visible = sizes.causal ? block.keys - block.size + 1 : block.keys;
  const std::int64_t rows = scores.size(0) * scores.size(1);
  at::parallel_for(0, rows, rows_of_grain(block.keys), [&](std::int64_t begin, std::int64_t end) {
    kernel(ScoreRows{element_of(scores.scalar_type()), scores.data_ptr(), begin, end - begin,
                     block.size, block.keys, first_visible, std::min(real, block.keys),
                     sizes.causal});
  });
}

/// Room for softmax(q k^T / sqrt(D)) of a block in all windows.
Tensor empty_weights(const Tensor& q, const Sizes& sizes, const Block& block) {
  return at::empty({sizes.windows, sizes.kv_heads, sizes.group() * block.size, block.keys},
                   q.options());
}

/// Softmax of a chunk: [size, group * block, keys], written to `kept` if that is defined.
Tensor weights_of(const Tensor& queries, const Tensor& keys, const Sizes& sizes, const Chunk& chunk,
                  const Block& block, const Tensor& kept = {}) {
  Tensor scores = kept.defined()
                      ? chunk.keys(kept)
                      : at::empty({chunk.size, queries.size(1), block.keys}, queries.options());
  at::bmm_out(scores, queries, keys.transpose(1, 2));
  for_score_rows(scores, sizes, chunk, block,
                 [&](const ScoreRows& rows) { masked_softmax_cpu(rows, sizes.scale()); });
  return scores;
}

/// Like x [B, heads, T, D], laid out so that [B, T, heads * D] is a view of it.
Tensor empty_heads(const Tensor& x) {
  return at::empty_like(x.transpose(1, 2), at::MemoryFormat::Contiguous).transpose(1, 2);
}

struct BlockedAttention : torch::autograd::Function<BlockedAttention> {
  static Tensor forward(AutogradContext* ctx, const Tensor& q, const Tensor& k, const Tensor& v,
                        bool causal, const std::optional<Tensor>& given_lengths) {
    const Tensor lengths = given_lengths.value_or(Tensor());
    const Sizes sizes(q, k, causal, lengths);
    const bool has_gradient = q.requires_grad() || k.requires_grad() || v.requires_grad();
    const Tensor output = empty_heads(q);
    variable_list kept(static_cast<std::size_t>(sizes.blocks()));
    if (has_gradient && keeps_softmax(sizes.heads, sizes.kv_heads, sizes.width, sizes.keys)) {
      for_each_block(
          sizes, [&](const Block& block) { kept[block.index] = empty_weights(q, sizes, block); });
    }
    for_each_chunk(sizes, [&](const Chunk& chunk) {
      const Tensor keys = chunk.keys(k).contiguous(), values = chunk.keys(v).contiguous();
      for_each_block(sizes, [&](const Block& block) {
        const auto seen = [&](const Tensor& all) { return all.narrow(1, 0, block.keys); };
        const Tensor queries = rows_of(chunk.queries(q, sizes), block);
        const Tensor weights =
            weights_of(queries, seen(keys), sizes, chunk, block, kept[block.index]);
        put_rows(chunk.queries(output, sizes), at::bmm(weights, seen(values)), block);
      });
    });
    kept.insert(kept.begin(), {q, k, v, lengths});
    ctx->save_for_backward(std::move(kept));
    ctx->saved_data["causal"] = causal;
    return output;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    const Tensor &q = saved[0], &k = saved[1], &v = saved[2];
    const Sizes sizes(q, k, ctx->saved_data["causal"].toBool(), saved[3]);
    const Tensor of_q = empty_heads(q), of_k = empty_heads(k), of_v = empty_heads(v);
    for_each_chunk(sizes, [&](const Chunk& chunk) {
      const Tensor keys = chunk.keys(k).contiguous(), values = chunk.keys(v).contiguous();
      const Tensor of_keys = at::zeros(keys.sizes(), keys.options().dtype(at::kFloat)),
                   of_values = at::zeros_like(of_keys);
      for_each_block(sizes, [&](const Block& block) {
        const auto seen = [&](const Tensor& all) { return all.narrow(1, 0, block.keys); };
        const Tensor queries = rows_of(chunk.queries(q, sizes), block),
                     of_output = rows_of(chunk.queries(grads[0], sizes), block);
        const Tensor& kept = saved[kWeights + block.index];
        const Tensor weights = kept.defined()
                                   ? chunk.keys(kept)
                                   : weights_of(queries, seen(keys), sizes, chunk, block);
        seen(of_values).add_(at::bmm(weights.transpose(1, 2), of_output));
        const Tensor slope = at::bmm(of_output, seen(values).transpose(1, 2)).contiguous();
        for_score_rows(slope, sizes, chunk, block, [&](const ScoreRows& rows) {
          masked_softmax_backward_cpu(rows, weights.const_data_ptr(), sizes.scale());
        });
        put_rows(chunk.queries(of_q, sizes), at::bmm(slope, seen(keys)), block);
        seen(of_keys).add_(at::bmm(slope.transpose(1, 2), queries));
      });
      chunk.keys(of_k).copy_(of_keys);
      chunk.keys(of_v).copy_(of_values);
    });
    return {of_q, of_k, of_v, Tensor(), Tensor()};
  }

 private:
  static constexpr std::size_t kWeights = 4;  // place of the first block's weights in `saved`
};

/// The keys that a query sees: [B or 1, 1, T or 1, S]. Undefined if it sees all.
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

/// Key heads as often as q has heads for each: [B, heads, S, D].
Tensor repeated(const Tensor& x, const Tensor& q) {
  const std::int64_t group = q.size(1) / x.size(1);
  return group == 1 ? x : x.repeat_interleave(group, /*dim=*/1);
}

/// Attention with a bias. Scores are whole and in float32.
Tensor biased(const Tensor& q, const Tensor& k, const Tensor& v, const Visibility& visibility) {
  const double scale = 1.0 / std::sqrt(static_cast<double>(q.size(3)));
  Tensor scores = at::matmul(q, repeated(k, q).transpose(2, 3)).to(at::kFloat) * scale +
                  visibility.bias.to(at::kFloat);
  if (const Tensor seen = seen_keys(q, k, visibility); seen.defined())
    scores = scores.masked_fill(seen.logical_not(), -std::numeric_limits<float>::infinity());
  return at::matmul(at::softmax(scores, -1).to(v.scalar_type()), repeated(v, q));
}

}  // namespace

bool keeps_softmax(std::int64_t heads, std::int64_t kv_heads, std::int64_t width,
                   std::int64_t keys) {
  return heads * keys <= 2 * 2 * (heads + kv_heads) * width;
}

Tensor torch_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                       const Visibility& visibility) {
  const bool plain = visibility.causal && q.size(2) == k.size(2) && !visibility.lengths.defined();
  std::optional<Tensor> mask;
  if (const Tensor seen = plain ? Tensor() : seen_keys(q, k, visibility); seen.defined())
    mask = seen;
  // Flash takes 16 bits and no mask. What it leaves goes to the memory-efficient kernel, which in
  // torch 2.11 takes no grouped heads; the last resort would keep all scores.
  const bool is_flash = !mask && at::isReducedFloatingType(q.scalar_type());
  const auto keys = [&](const Tensor& x) { return is_flash ? x : repeated(x, q); };
  return at::scaled_dot_product_attention(q, keys(k), keys(v), mask, /*dropout_p=*/0.0,
                                          /*is_causal=*/plain, /*scale=*/std::nullopt,
                                          /*enable_gqa=*/is_flash && q.size(1) != k.size(1));
}

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Visibility& visibility) {
  if (visibility.bias.defined()) return biased(q, k, v, visibility);
  if (!lies_on_host(q)) return torch_attention(q, k, v, visibility);
  return BlockedAttention::apply(q, k, v, visibility.causal, optional_of(visibility.lengths));
}

}  // namespace dualpath::modules
