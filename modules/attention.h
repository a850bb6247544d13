#pragma once

#include <ATen/core/Tensor.h>

namespace dualpath::modules {

/// Causal scaled dot-product attention with grouped heads: softmax(q k^T / sqrt(D)) v. q: [B,
/// heads, T, D]; k, v: [B, kv_heads, S, D] with S >= T and heads a multiple of kv_heads; row t of q
/// sees keys up to S - T + t. Result: [B, heads, T, D] in q's dtype.
///
/// On the CPU it goes by blocks of queries: two batched products and a softmax that reads and
/// writes q's dtype and computes in float32. Backward keeps q, k and v alone. (torch's own kernel
/// stands on MKL's bfloat16 product, which on processors that are not Intel's is several times
/// slower.) On CUDA it is torch's scaled_dot_product_attention.
at::Tensor causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

}  // namespace dualpath::modules
