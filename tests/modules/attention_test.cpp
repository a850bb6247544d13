#include "modules/attention.h"

#include <torch/autograd.h>
#include <torch/utils.h>

#include "tests/support/catch.h"

using dualpath::modules::causal_attention;
using torch::Tensor;

namespace {

/// softmax(q k^T / sqrt(D)) v with a mask, by torch's operations.
Tensor plain(const Tensor& q, const Tensor& k, const Tensor& v) {
  const std::int64_t group = q.size(1) / k.size(1), queries = q.size(2), keys = k.size(2);
  const Tensor all_k = k.repeat_interleave(group, 1), all_v = v.repeat_interleave(group, 1);
  const Tensor seen = torch::ones({queries, keys}, torch::kBool).tril(keys - queries);
  const Tensor scores = q.matmul(all_k.transpose(2, 3)) / std::sqrt(double(q.size(3)));
  return scores.masked_fill(~seen, -INFINITY).softmax(-1).matmul(all_v);
}

}  // namespace

TEST_CASE("attention and its gradients are those of torch's own operations",
          "[modules][attention]") {
  // windows, heads, key heads, queries, keys: a step, several blocks, a token and a prompt behind a
  // cache
  const auto [b, h, kv, t, s] =
      GENERATE(table<std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t>(
          {{2, 6, 2, 5, 5}, {1, 3, 3, 300, 300}, {2, 4, 1, 1, 33}, {1, 4, 2, 140, 201}}));
  torch::manual_seed(16);
  const auto random = [&](std::int64_t heads, std::int64_t length) {  // laid out as the decoder's
    return (torch::randn({b, length, heads, 16}) * 2.0).transpose(1, 2).detach().requires_grad_();
  };
  const Tensor q = random(h, t), k = random(kv, s), v = random(kv, s);
  const Tensor y = causal_attention(q, k, v), expected = plain(q, k, v);
  CHECK(at::allclose(y, expected, /*rtol=*/1e-4, /*atol=*/1e-5));
  const Tensor slope = torch::randn_like(expected);
  const auto ours = torch::autograd::grad({y}, {q, k, v}, {slope});
  const auto theirs = torch::autograd::grad({expected}, {q, k, v}, {slope});
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(at::allclose(ours[i], theirs[i], /*rtol=*/1e-3, /*atol=*/2e-5));
}

TEST_CASE("attention in half precision is close to float32's", "[modules][attention]") {
  const at::ScalarType dtype = GENERATE(at::kBFloat16, at::kHalf);
  torch::manual_seed(17);
  const auto random = [&](std::int64_t heads) {
    return torch::randn({2, heads, 150, 32}).to(dtype);
  };
  const Tensor q = random(6), k = random(2), v = random(2);
  const Tensor y = causal_attention(q, k, v);
  CHECK(y.scalar_type() == dtype);
  const Tensor wide = plain(q.to(at::kFloat), k.to(at::kFloat), v.to(at::kFloat));
  CHECK((y.to(at::kFloat) - wide).norm().item<double>() < 0.01 * wide.norm().item<double>());
}
