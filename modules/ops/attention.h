#pragma once

#include <ATen/core/Tensor.h>

namespace dualpath::modules {

/// The keys that a query sees.
struct Visibility {
  bool causal = true;  ///< row t of T queries sees keys up to S - T + t of S
  /// [B] int64: how many keys of each window are real, and so seen. If undefined, all are.
  at::Tensor lengths = {};
  /// [B or 1, heads, T, S], added to the scaled scores if defined, e.g. for relative positions.
  /// With a bias the attention is made of plain operations.
  at::Tensor bias = {};
};

/// Scaled dot-product attention with grouped heads: softmax(q k^T / sqrt(D)) v. q: [B, heads, T,
/// D]; k, v: [B, kv_heads, S, D] with heads a multiple of kv_heads, and S >= T if it is causal.
/// Result: [B, heads, T, D] in q's dtype.
///
/// The CPU's goes by blocks of queries: two batched products and a softmax that reads and writes
/// q's dtype and computes in float32. Backward keeps q, k and v; see keeps_softmax(), too. (torch's
/// own kernel stands on MKL's bfloat16 product, several times slower on processors that are not
/// Intel's.) CUDA's is torch_attention().
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     const Visibility& visibility = {});

/// attention() without a bias by torch's scaled_dot_product_attention, on any device. On CUDA torch
/// takes its flash kernel (or cuDNN's) for 16 bits and no mask: causal windows as long as their
/// keys, and one token behind a cache. Its memory-efficient kernel takes the others, with key heads
/// repeated. Neither keeps the scores.
at::Tensor torch_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const Visibility& visibility = {});

/// Whether backward on the CPU also gets the softmax's results instead of computing them again.
/// They grow with the square of the length. So they are kept while they are at most twice as large
/// as q, k, v and the result.
bool keeps_softmax(std::int64_t heads, std::int64_t kv_heads, std::int64_t width,
                   std::int64_t keys);

}  // namespace dualpath::modules
