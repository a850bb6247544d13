#include "modules/ops/attention.h"

#include <torch/autograd.h>
#include <torch/utils.h>

#include "tests/support/catch.h"
#include "tests/support/relative_difference.h"
#include "tests/support/vector_target.h"

using namespace dualpath::testing;
using dualpath::modules::attention;
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
  // cache.
  const auto [b, h, kv, t, s] =
      GENERATE(table<std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t>(
          {{2, 6, 2, 5, 5}, {1, 3, 3, 300, 300}, {2, 4, 1, 1, 33}, {1, 4, 2, 140, 201}}));
  torch::manual_seed(16);
  const auto random = [&](std::int64_t heads, std::int64_t length) {  // laid out like the decoder's
    return (torch::randn({b, length, heads, 16}) * 2.0).transpose(1, 2).detach().requires_grad_();
  };
  const Tensor q = random(h, t), k = random(kv, s), v = random(kv, s);
  const Tensor y = attention(q, k, v), expected = plain(q, k, v);
  CHECK(at::allclose(y, expected, /*rtol=*/1e-4, /*atol=*/1e-5));
  const Tensor slope = torch::randn_like(expected);
  const auto ours = torch::autograd::grad({y}, {q, k, v}, {slope});
  const auto theirs = torch::autograd::grad({expected}, {q, k, v}, {slope});
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(at::allclose(ours[i], theirs[i], /*rtol=*/1e-3, /*atol=*/2e-5));
}

TEST_CASE("attention takes heads chunk by chunk on as many threads as there are",
          "[modules][attention]") {
  // 300 queries and keys of 12 heads are too many scores for one chunk; 6 key heads are cut into 4
  // and 2.
  const bool causal = GENERATE(true, false);
  const int threads = GENERATE(1, 4);
  const int before = at::get_num_threads();
  at::set_num_threads(threads);
  torch::manual_seed(20);
  const auto random = [&](std::int64_t heads) {
    return torch::randn({2, heads, 300, 16}).requires_grad_();
  };
  const Tensor q = random(12), k = random(6), v = random(6);
  const Tensor lengths = torch::tensor({300, 7}, at::kLong);
  const Tensor y = attention(q, k, v, {.causal = causal, .lengths = lengths});
  const Tensor seen = torch::arange(300).lt(lengths.unsqueeze(1)).view({2, 1, 1, 300});
  const Tensor mask = causal ? seen.logical_and(torch::ones({300, 300}, at::kBool).tril()) : seen;
  const Tensor expected = at::scaled_dot_product_attention(
      q, k, v, mask, /*dropout_p=*/0.0, /*is_causal=*/false, /*scale=*/std::nullopt,
      /*enable_gqa=*/true);
  CHECK(at::allclose(y, expected, /*rtol=*/1e-4, /*atol=*/1e-5));
  const Tensor slope = torch::randn_like(expected);
  const auto ours = torch::autograd::grad({y}, {q, k, v}, {slope});
  const auto theirs = torch::autograd::grad({expected}, {q, k, v}, {slope});
  at::set_num_threads(before);
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
  const Tensor y = attention(q, k, v);
  CHECK(y.scalar_type() == dtype);
  const Tensor wide = plain(q.to(at::kFloat), k.to(at::kFloat), v.to(at::kFloat));
  CHECK((y.to(at::kFloat) - wide).norm().item<double>() < 0.01 * wide.norm().item<double>());
}

TEST_CASE("gradients of attention in half precision are close to float32's",
          "[modules][attention]") {
  const at::ScalarType dtype = GENERATE(at::kBFloat16, at::kHalf);
  torch::manual_seed(18);
  const auto random = [&](std::int64_t heads) {
    return torch::randn({2, heads, 150, 32}).to(dtype).requires_grad_();
  };
  const Tensor q = random(6), k = random(2), v = random(2);
  const Tensor slope = torch::randn({2, 6, 150, 32}).to(dtype);
  const auto ours = torch::autograd::grad({attention(q, k, v)}, {q, k, v}, {slope});
  const auto wide = [](const Tensor& x) { return x.detach().to(at::kFloat).requires_grad_(); };
  const std::vector<Tensor> leaves{wide(q), wide(k), wide(v)};
  const auto theirs = torch::autograd::grad({plain(leaves[0], leaves[1], leaves[2])}, leaves,
                                            {slope.to(at::kFloat)});
  for (std::size_t i = 0; i < 3; ++i) {
    INFO("gradient " << i);
    CHECK(ours[i].scalar_type() == dtype);
    CHECK(relative_difference(ours[i], theirs[i]) < (dtype == at::kHalf ? 0.003 : 0.02));
  }
}

TEST_CASE("attention is the same with every kind of vectors, but for the last bits of exp",
          "[modules][attention]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  torch::manual_seed(19);
  const auto random = [&](std::int64_t heads) {
    return torch::randn({1, heads, 133, 16}).to(dtype).requires_grad_();
  };
  const Tensor q = random(2), k = random(1), v = random(1);
  const Tensor slope = torch::randn({1, 2, 133, 16}).to(dtype);
  const auto results = [&] {
    const Tensor y = attention(q, k, v);
    std::vector<Tensor> all = torch::autograd::grad({y}, {q, k, v}, {slope});
    all.push_back(y.detach());
    return all;
  };
  const std::vector<Tensor> usual = results();
  const double tolerance = dtype == at::kFloat ? 1e-6 : dtype == at::kHalf ? 1e-3 : 8e-3;
  for (const std::int64_t kind : vector_targets()) {
    const VectorTarget target(kind);
    const std::vector<Tensor> here = results();
    for (std::size_t i = 0; i < usual.size(); ++i) {
      INFO(target.name << ", tensor " << i);
      CHECK(relative_difference(here[i], usual[i]) < tolerance);
    }
  }
}

TEST_CASE("attention by torch's own kernels sees the same keys as ours, with gradients",
          "[modules][attention]") {
  torch::manual_seed(31);
  // Queries, keys, causal, and whether some keys are padding.
  const auto [queries, keys, causal, padded] =
      GENERATE(table<std::int64_t, std::int64_t, bool, bool>(
          {{6, 6, true, false}, {1, 9, true, false}, {3, 9, true, false}, {5, 7, false, true}}));
  const std::int64_t kv_heads = GENERATE(2, 4);
  const dualpath::modules::Visibility visibility{
      .causal = causal, .lengths = padded ? torch::tensor({keys - 2, keys}) : Tensor()};
  const Tensor q = torch::randn({2, 4, queries, 8}).requires_grad_(),
               k = torch::randn({2, kv_heads, keys, 8}).requires_grad_(),
               v = torch::randn({2, kv_heads, keys, 8}).requires_grad_();
  const Tensor ours = attention(q, k, v, visibility),
               theirs = dualpath::modules::torch_attention(q, k, v, visibility);
  CHECK(at::allclose(theirs, ours, /*rtol=*/1e-4, /*atol=*/1e-5));
  const Tensor slope = torch::randn_like(ours);
  const auto our_grads = torch::autograd::grad({ours}, {q, k, v}, {slope});
  const auto their_grads = torch::autograd::grad({theirs}, {q, k, v}, {slope});
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(at::allclose(their_grads[i], our_grads[i], /*rtol=*/1e-3, /*atol=*/2e-5));
  // Grouped heads of 16 bits go to torch as they are.
  const auto short_of = [](const Tensor& x) { return x.detach().to(torch::kBFloat16); };
  const Tensor rounded =
      dualpath::modules::torch_attention(short_of(q), short_of(k), short_of(v), visibility);
  CHECK(at::allclose(rounded.to(torch::kFloat), ours, /*rtol=*/0.05, /*atol=*/0.05));
}
