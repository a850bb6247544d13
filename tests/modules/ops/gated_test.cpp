#include "modules/ops/gated.h"

#include <torch/autograd.h>
#include <torch/utils.h>

#include <cmath>
#include <limits>

#include "tests/support/catch.h"
#include "tests/support/vector_target.h"

using namespace dualpath::modules;
using namespace dualpath::testing;

TEST_CASE("a gated product and its gradients are those of torch's own operations",
          "[modules][gated]") {
  const Activation activation =
      GENERATE(Activation::kSilu, Activation::kGelu, Activation::kGeluTanh, Activation::kRelu);
  torch::manual_seed(14);
  const at::Tensor gate = (torch::randn({3, 67}) * 4.0).requires_grad_(),
                   up = torch::randn({3, 67}).requires_grad_(), slope = torch::randn({3, 67});
  const auto activated = [&] {
    switch (activation) {
      case Activation::kSilu:
        return at::silu(gate);
      case Activation::kGelu:
        return at::gelu(gate);
      case Activation::kGeluTanh:
        return at::gelu(gate, "tanh");
      default:
        return at::relu(gate);
    }
  };
  const at::Tensor y = gated(activation, gate, up), expected = activated() * up;
  CHECK(at::allclose(y, expected, /*rtol=*/1e-5, /*atol=*/1e-6));
  const auto ours = torch::autograd::grad({y}, {gate, up}, {slope});
  const auto theirs = torch::autograd::grad({expected}, {gate, up}, {slope});
  for (std::size_t i = 0; i < 2; ++i)
    CHECK(at::allclose(ours[i], theirs[i], /*rtol=*/1e-4, /*atol=*/1e-5));
}

TEST_CASE("SiLU's gated product in half precision is the float32 result, rounded once",
          "[modules][gated]") {
  const at::ScalarType dtype = GENERATE(at::kBFloat16, at::kHalf);
  torch::manual_seed(15);
  const at::Tensor gate = (torch::randn({5, 33}) * 8.0).to(dtype),
                   up = torch::randn({5, 33}).to(dtype);
  const at::Tensor y = gated(Activation::kSilu, gate, up);
  CHECK(y.scalar_type() == dtype);
  CHECK(y.equal(gated(Activation::kSilu, gate.to(at::kFloat), up.to(at::kFloat)).to(dtype)));
}

TEST_CASE("a gate far from zero is open or shut, never NaN", "[modules][gated]") {
  const at::Tensor gate = torch::tensor({-1e4f, -100.0f, 0.0f, 100.0f}).requires_grad_();
  const at::Tensor y = gated(Activation::kSilu, gate, at::full({4}, 2.0f));
  CHECK(at::allclose(y, torch::tensor({0.0f, 0.0f, 0.0f, 200.0f})));
  y.sum().backward();
  CHECK(at::allclose(gate.grad(), torch::tensor({0.0f, 0.0f, 1.0f, 2.0f})));
}

TEST_CASE("gradients of SiLU's gated product in half precision are float32's, rounded once",
          "[modules][gated]") {
  const at::ScalarType dtype = GENERATE(at::kBFloat16, at::kHalf);
  torch::manual_seed(16);
  const auto random = [&] { return (torch::randn({5, 33}) * 4.0).to(dtype).requires_grad_(); };
  const at::Tensor gate = random(), up = random(), slope = torch::randn({5, 33}).to(dtype);
  const auto wide = [](const at::Tensor& x) { return x.detach().to(at::kFloat).requires_grad_(); };
  const at::Tensor wide_gate = wide(gate), wide_up = wide(up);
  const auto ours =
      torch::autograd::grad({gated(Activation::kSilu, gate, up)}, {gate, up}, {slope});
  const auto theirs = torch::autograd::grad({gated(Activation::kSilu, wide_gate, wide_up)},
                                            {wide_gate, wide_up}, {slope.to(at::kFloat)});
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(ours[i].scalar_type() == dtype);
    CHECK(ours[i].equal(theirs[i].to(dtype)));
  }
}

TEST_CASE("SiLU's gated product is torch's with every kind of vectors", "[modules][gated]") {
  torch::manual_seed(17);
  const at::Tensor gate = (torch::randn({3, 67}) * 4.0).requires_grad_(),
                   up = torch::randn({3, 67}).requires_grad_(), slope = torch::randn({3, 67});
  const at::Tensor expected = at::silu(gate) * up;
  const auto theirs = torch::autograd::grad({expected}, {gate, up}, {slope});
  for (const std::int64_t kind : vector_targets()) {
    const VectorTarget target(kind);
    INFO(target.name);
    const at::Tensor y = gated(Activation::kSilu, gate, up);
    CHECK(at::allclose(y, expected, /*rtol=*/1e-5, /*atol=*/1e-6));
    const auto ours = torch::autograd::grad({y}, {gate, up}, {slope});
    for (std::size_t i = 0; i < 2; ++i)
      CHECK(at::allclose(ours[i], theirs[i], /*rtol=*/1e-4, /*atol=*/1e-5));
    const at::Tensor half = gated(Activation::kSilu, gate.to(at::kHalf), up.to(at::kHalf));
    CHECK(at::allclose(half.to(at::kFloat), expected, /*rtol=*/3e-3, /*atol=*/3e-3));
  }
}

TEST_CASE("SiLU alone is x over 1 + e^-x, with every kind of vectors", "[modules][gated]") {
  const at::Tensor x = at::linspace(-80.0, 80.0, 20001).requires_grad_();
  const at::Tensor wide = x.detach().to(at::kDouble).requires_grad_(), expected = at::silu(wide);
  expected.sum().backward();
  for (const std::int64_t kind : vector_targets()) {
    const VectorTarget target(kind);
    INFO(target.name);
    x.mutable_grad() = at::Tensor();
    const at::Tensor y = activated(Activation::kSilu, x);
    CHECK(at::allclose(y.to(at::kDouble), expected, /*rtol=*/4e-7, /*atol=*/0.0));
    y.sum().backward();
    CHECK(at::allclose(x.grad().to(at::kDouble), wide.grad(), /*rtol=*/1e-6, /*atol=*/1e-6));
  }
}

TEST_CASE("SiLU alone far from zero is torch's", "[modules][gated]") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const at::Tensor x = torch::tensor({-kInfinity, -1e38f, -1e4f, -88.5f, -87.0f, 87.0f, 88.5f,
                                      1e38f, kInfinity, std::nanf("")})
                           .requires_grad_();
  const at::Tensor same = x.detach().clone().requires_grad_(), expected = at::silu(same);
  expected.sum().backward();
  for (const std::int64_t kind : vector_targets()) {
    const VectorTarget target(kind);
    INFO(target.name);
    x.mutable_grad() = at::Tensor();
    const at::Tensor y = activated(Activation::kSilu, x);
    y.sum().backward();
    for (const auto& [ours, theirs] : {std::pair(y, expected), std::pair(x.grad(), same.grad())})
      CHECK(at::allclose(ours, theirs, /*rtol=*/1e-6, /*atol=*/1e-35, /*equal_nan=*/true));
  }
}

TEST_CASE("SiLU alone in half precision is the float32 result, rounded once", "[modules][gated]") {
  const at::ScalarType dtype = GENERATE(at::kBFloat16, at::kHalf);
  torch::manual_seed(18);
  const at::Tensor x = (torch::randn({5, 33}) * 8.0).to(dtype);
  const auto silu = [](const at::Tensor& of) { return activated(Activation::kSilu, of); };
  CHECK(silu(x).equal(silu(x.to(at::kFloat)).to(dtype)));
  CHECK(silu(x.t()).equal(silu(x).t()));
}
