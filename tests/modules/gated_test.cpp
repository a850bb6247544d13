#include "modules/gated.h"

#include <torch/autograd.h>
#include <torch/utils.h>

#include "tests/support/catch.h"

using namespace dualpath::modules;

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
