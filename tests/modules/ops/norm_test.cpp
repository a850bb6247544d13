#include "modules/ops/norm.h"

#include <torch/autograd.h>
#include <torch/utils.h>

#include "tests/support/catch.h"

using dualpath::modules::rms_norm;

TEST_CASE("RMSNorm divides by the root mean square and multiplies by the weight",
          "[modules][norm]") {
  const at::Tensor x = torch::tensor({{1.0f, 7.0f}, {-30.0f, 40.0f}});  // rms 5 and sqrt(1250)
  const at::Tensor y = rms_norm(x, torch::tensor({2.0f, 10.0f}), /*eps=*/0.0);
  CHECK(at::allclose(y[0], torch::tensor({0.4f, 14.0f})));
  CHECK(at::allclose(y[1], torch::tensor({-1.6970563f, 11.3137085f})));
}

TEST_CASE("RMSNorm's eps is added to the mean square", "[modules][norm]") {
  const at::Tensor y = rms_norm(torch::tensor({{3.0f, 3.0f}}), at::ones(2), /*eps=*/16.0);
  CHECK(at::allclose(y, torch::tensor({{0.6f, 0.6f}})));
}

TEST_CASE("RMSNorm in half precision is the float32 result, rounded once", "[modules][norm]") {
  const auto dtype = GENERATE(at::kBFloat16, at::kHalf);
  torch::manual_seed(4);
  const at::Tensor x = (torch::randn({3, 96}) * 50.0).to(dtype), weight = torch::rand(96);
  const at::Tensor y = rms_norm(x, weight, 1e-5);
  CHECK(y.scalar_type() == dtype);
  CHECK(y.equal(rms_norm(x.to(at::kFloat), weight, 1e-5).to(dtype)));
}

TEST_CASE("RMSNorm's gradients are those of finite differences", "[modules][norm]") {
  const at::Tensor x = torch::tensor({{1.0f, 7.0f}}).requires_grad_();
  const at::Tensor weight = torch::tensor({2.0f, 10.0f}).requires_grad_();
  const at::Tensor slope = torch::tensor({{3.0f, -1.0f}});
  const auto loss = [&] { return (rms_norm(x, weight, 0.0) * slope).sum(); };
  loss().backward();
  const torch::NoGradGuard no_grad;
  for (const at::Tensor& leaf : {x, weight}) {
    for (std::int64_t i = 0; i < 2; ++i) {
      at::Tensor element = leaf.flatten()[i];
      constexpr float kStep = 1.0f / 64;
      element += kStep;
      const float above = loss().item<float>();
      element -= 2 * kStep;
      const float below = loss().item<float>();
      element += kStep;
      CHECK(leaf.grad().flatten()[i].item<float>() ==
            Approx((above - below) / (2 * kStep)).margin(1e-4));
    }
  }
}

TEST_CASE("RMSNorm and its gradients are those of torch's own operations", "[modules][norm]") {
  const std::int64_t width = GENERATE(16, 67, 576);
  torch::manual_seed(7);
  const at::Tensor x = (torch::randn({3, 5, width}) * 9.0).requires_grad_(),
                   weight = torch::rand(width).requires_grad_();
  const at::Tensor slope = torch::randn({3, 5, width});
  const at::Tensor y = rms_norm(x, weight, 1e-5);
  const at::Tensor expected = x * (x.square().mean(-1, true) + 1e-5).rsqrt() * weight;
  CHECK(at::allclose(y, expected, /*rtol=*/1e-5, /*atol=*/1e-6));
  const auto ours = torch::autograd::grad({y}, {x, weight}, {slope});
  const auto theirs = torch::autograd::grad({expected}, {x, weight}, {slope});
  for (std::size_t i = 0; i < 2; ++i)
    CHECK(at::allclose(ours[i], theirs[i], /*rtol=*/1e-4, /*atol=*/1e-5));
}

TEST_CASE("RMSNorm's gradients in half precision are float32's, rounded once", "[modules][norm]") {
  const auto dtype = GENERATE(at::kBFloat16, at::kHalf);
  torch::manual_seed(8);
  const at::Tensor x = (torch::randn({3, 96}) * 5.0).to(dtype).requires_grad_(),
                   wide = x.detach().to(at::kFloat).requires_grad_(),
                   weight = torch::rand(96).requires_grad_();
  const at::Tensor slope = torch::randn({3, 96}).to(dtype);
  const auto ours = torch::autograd::grad({rms_norm(x, weight, 1e-5)}, {x, weight}, {slope});
  const auto theirs =
      torch::autograd::grad({rms_norm(wide, weight, 1e-5)}, {wide, weight}, {slope.to(at::kFloat)});
  CHECK(ours[0].scalar_type() == dtype);
  CHECK(ours[0].equal(theirs[0].to(dtype)));
  CHECK(ours[1].scalar_type() == at::kFloat);
  CHECK(ours[1].equal(theirs[1]));
}
