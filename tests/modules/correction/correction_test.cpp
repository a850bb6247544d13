#include "modules/correction/correction.h"

#include <torch/autograd.h>
#include <torch/optim/sgd.h>
#include <torch/utils.h>

#include "tests/support/catch.h"
#include "tests/support/device.h"

using namespace dualpath::modules;
using namespace dualpath::testing;

namespace {

CorrectionOptions options(CorrectionInput input, CorrectionBeta beta, std::int64_t reduction = 64) {
  return {.reduction = reduction, .input = input, .beta = beta, .ignore = {}};
}

at::Tensor random_hidden(at::ScalarType dtype) {
  torch::manual_seed(3);
  return (torch::randn({2, 5, 64}) * 30.0).to(dtype);
}

/// Has H = 2: down adds [0, -2], up swaps the two and adds [0.5, -0.5], alpha 2, beta [0.25, -0.4].
DualPathCorrection made_by_hand(CorrectionInput input) {
  const torch::NoGradGuard no_grad;
  DualPathCorrection correction(2, options(input, CorrectionBeta::kChannel, /*reduction=*/1), 0);
  correction->down->weight.copy_(torch::eye(2));
  correction->down->bias.copy_(torch::tensor({0.0f, -2.0f}));
  correction->up->weight.copy_(torch::tensor({{0.0f, 1.0f}, {1.0f, 0.0f}}));
  correction->up->bias.copy_(torch::tensor({0.5f, -0.5f}));
  correction->alpha.fill_(2.0f);
  correction->beta.copy_(torch::tensor({0.25f, -0.4f}));
  return correction;
}

/// An untrained correction in which no parameter is zero.
DualPathCorrection random_correction(std::int64_t hidden, const CorrectionOptions& options) {
  DualPathCorrection correction(hidden, options, /*seed=*/1);
  torch::manual_seed(5);
  for (at::Tensor& parameter : correction->parameters())
    parameter.data().copy_(torch::randn(parameter.sizes()) / 4.0);
  return correction;
}

/// Compares the fused operation with torch's own. x: on the CPU, float32.
void check_gradients(DualPathCorrection correction, const at::Tensor& x) {
  std::vector<at::Tensor> leaves = correction->parameters();
  const at::Device device = leaves.front().device();
  leaves.push_back(x.to(device).requires_grad_());
  const at::Tensor slope = torch::randn(x.sizes()).to(device);
  const at::Tensor fused = correction(leaves.back()),
                   composed = correction->composed(leaves.back());
  CHECK(((fused - composed).norm() / composed.norm()).item<float>() <= 1e-6f);
  const auto of_fused = torch::autograd::grad({fused}, leaves, {slope});
  const auto of_composed = torch::autograd::grad({composed}, leaves, {slope});
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    INFO("gradient of leaf " << i);
    CHECK(((of_fused[i] - of_composed[i]).norm() / of_composed[i].norm()).item<float>() <= 1e-5f);
  }
}

}  // namespace

TEST_CASE("a new correction is the identity to the bit", "[modules][correction]") {
  const auto input = GENERATE(CorrectionInput::kRaw, CorrectionInput::kRmsNorm);
  const auto beta = GENERATE(CorrectionBeta::kScalar, CorrectionBeta::kChannel);
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  DualPathCorrection correction(64, options(input, beta), /*seed=*/1);
  const at::Tensor x = random_hidden(dtype);
  const at::Tensor y = correction(x);
  CHECK(y.scalar_type() == dtype);
  CHECK(y.equal(x));
}

TEST_CASE("a correction of the raw input is the formula", "[modules][correction]") {
  // down([1, 7]) = [1, 5]; up = [5, 1] + [0.5, -0.5]; twice that and beta: [11.25, 0.6].
  DualPathCorrection correction = made_by_hand(CorrectionInput::kRaw);
  CHECK(at::allclose(correction(torch::tensor({{1.0f, 7.0f}})), torch::tensor({{12.25f, 7.6f}})));
}

TEST_CASE("a correction of the normalized input is the formula times the token's size",
          "[modules][correction]") {
  // rms([1, 7]) = 5; down([0.2, 1.4]) = [0.2, -0.6], and ReLU leaves [0.2, 0]; up = [0, 0.2] +
  // [0.5, -0.5]; twice that and beta: [1.25, -1], times 5.
  DualPathCorrection correction = made_by_hand(CorrectionInput::kRmsNorm);
  CHECK(at::allclose(correction(torch::tensor({{1.0f, 7.0f}})), torch::tensor({{7.25f, 2.0f}})));
  CHECK(at::allclose(correction(torch::tensor({{1000.0f, 7000.0f}})),
                     torch::tensor({{7250.0f, 2000.0f}})));
}

TEST_CASE("a token of zeros stays finite", "[modules][correction]") {
  DualPathCorrection correction = made_by_hand(CorrectionInput::kRmsNorm);
  CHECK(correction(torch::zeros({1, 2})).isfinite().all().item<bool>());
}

TEST_CASE("at the first step the up-projection and beta learn, then the rest",
          "[modules][correction]") {
  const auto input = GENERATE(CorrectionInput::kRaw, CorrectionInput::kRmsNorm);
  DualPathCorrection correction(64, options(input, CorrectionBeta::kChannel, 8), /*seed=*/1);
  const at::Tensor x = random_hidden(at::kFloat);
  const auto largest = [](const at::Tensor& parameter) {
    return parameter.grad().abs().max().item<float>();
  };
  correction(x).square().sum().backward();
  CHECK(largest(correction->up->weight) > 0.0f);
  CHECK(largest(correction->up->bias) > 0.0f);
  CHECK(largest(correction->beta) > 0.0f);
  CHECK(largest(correction->down->weight) == 0.0f);
  CHECK(largest(correction->alpha) == 0.0f);

  torch::optim::SGD(correction->parameters(), /*lr=*/1e-4).step();
  correction->zero_grad();
  correction(x).square().sum().backward();
  for (const auto& parameter : correction->named_parameters()) {
    INFO(parameter.key());
    CHECK(largest(parameter.value()) > 0.0f);
  }
}

TEST_CASE("a correction's first values depend on its seed alone", "[modules][correction]") {
  const auto down = [](std::uint64_t seed) {
    return DualPathCorrection(64, CorrectionOptions{}, seed)->down->weight;
  };
  torch::manual_seed(1);
  const at::Tensor first = down(5);
  torch::manual_seed(2);  // the global generator does not matter
  CHECK(first.equal(down(5)));
  CHECK_FALSE(first.equal(down(6)));
  CHECK(first.abs().max().item<float>() <= 1.0f / 8.0f);
}

TEST_CASE("the head has hidden_size / reduction neurons, at least one", "[modules][correction]") {
  const auto width = [](std::int64_t hidden, std::int64_t reduction) {
    CorrectionOptions narrow;
    narrow.reduction = reduction;
    return DualPathCorrection(hidden, narrow, 0)->down->weight.size(0);
  };
  CHECK(width(576, 64) == 9);
  CHECK(width(576, 32) == 18);
  CHECK(width(48, 64) == 1);
}

TEST_CASE("beta is one number or one a channel", "[modules][correction]") {
  const auto beta = [](CorrectionBeta kind) {
    return DualPathCorrection(64, options(CorrectionInput::kRaw, kind), 0)->beta.numel();
  };
  CHECK(beta(CorrectionBeta::kScalar) == 1);
  CHECK(beta(CorrectionBeta::kChannel) == 64);
}

TEST_CASE("the fused correction and its gradients are those of torch's own operations",
          "[modules][correction][cuda]") {
  const auto input = GENERATE(CorrectionInput::kRaw, CorrectionInput::kRmsNorm);
  const auto beta = GENERATE(CorrectionBeta::kScalar, CorrectionBeta::kChannel);
  const std::int64_t hidden = GENERATE(64, 67);  // 67 does not fill the kernels' lanes
  const at::Device device = GENERATE(from_range(devices()));
  DualPathCorrection correction = random_correction(hidden, options(input, beta, 8));
  correction->to(device);
  check_gradients(correction, torch::randn({3, 7, hidden}) * 5.0);
}

TEST_CASE("the fused correction takes rows and heads of every size",
          "[modules][correction][cuda]") {
  // A GPU's blocks share these rows in ones, fours and eights. Some heads are wider than a block's
  // sums at a time.
  const auto [rows, hidden, reduction] = GENERATE(table<std::int64_t, std::int64_t, std::int64_t>(
      {{1, 576, 64}, {31, 4096, 64}, {33, 300, 3}, {1029, 128, 64}, {45, 520, 2}, {5, 16384, 64}}));
  const at::Device device = GENERATE(from_range(devices()));
  INFO(rows << " rows of " << hidden);
  DualPathCorrection correction = random_correction(
      hidden, options(CorrectionInput::kRmsNorm, CorrectionBeta::kChannel, reduction));
  correction->to(device);
  check_gradients(correction, torch::randn({rows, hidden}) * 5.0);
}

TEST_CASE("the fused correction in half precision is the float32 result, rounded once",
          "[modules][correction][cuda]") {
  const auto dtype = GENERATE(at::kBFloat16, at::kHalf);
  const at::Device device = GENERATE(from_range(devices()));
  DualPathCorrection correction =
      random_correction(64, options(CorrectionInput::kRmsNorm, CorrectionBeta::kChannel, 8));
  correction->to(device);
  const at::Tensor x = random_hidden(dtype).to(device);
  CHECK(correction(x).equal(correction(x.to(at::kFloat)).to(dtype)));
}

TEST_CASE("the fused correction has the same bits on every device, its gradients at every run",
          "[modules][correction][cuda]") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const auto input = GENERATE(CorrectionInput::kRaw, CorrectionInput::kRmsNorm);
  const std::int64_t rows = GENERATE(3, 70, 1029);
  DualPathCorrection correction =
      random_correction(580, options(input, CorrectionBeta::kChannel, 8));
  const at::Tensor x = (torch::randn({rows, 580}) * 30.0).to(dtype), here = correction(x);
  for (const at::Device device : devices()) {
    correction->to(device);
    std::vector<at::Tensor> leaves = correction->parameters();
    leaves.push_back(x.to(device).requires_grad_());
    const at::Tensor y = correction(leaves.back());
    CHECK(y.cpu().equal(here));
    const auto gradients = [&] {
      return torch::autograd::grad({correction(leaves.back())}, leaves, {torch::ones_like(y)});
    };
    const auto first = gradients(), second = gradients();
    for (std::size_t i = 0; i < leaves.size(); ++i) CHECK(first[i].equal(second[i]));
  }
}

TEST_CASE("a token alone, shared by all threads, has the bits it has in a batch",
          "[modules][correction]") {
  const torch::NoGradGuard no_grad;
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const auto input = GENERATE(CorrectionInput::kRaw, CorrectionInput::kRmsNorm);
  constexpr std::int64_t kHidden = 2048;  // each thread gets a share
  DualPathCorrection correction =
      random_correction(kHidden, options(input, CorrectionBeta::kChannel, /*reduction=*/64));
  const at::Tensor batch = (torch::randn({64, kHidden}) * 30.0).to(dtype), y = correction(batch);
  const int threads = at::get_num_threads();
  at::set_num_threads(4);
  for (std::int64_t row = 0; row < 3; ++row)
    CHECK(correction(batch.narrow(0, row, 1)).equal(y.narrow(0, row, 1)));
  at::set_num_threads(threads);
}

TEST_CASE("a correction whose weights change computes with the new ones", "[modules][correction]") {
  const torch::NoGradGuard no_grad;
  DualPathCorrection correction = made_by_hand(CorrectionInput::kRaw);
  const at::Tensor x = torch::tensor({{1.0f, 3.0f}}), before = correction(x);
  correction->up->weight.mul_(2.0);
  CHECK_FALSE(correction(x).equal(before));
  CHECK(at::allclose(correction(x), correction->composed(x)));
}

TEST_CASE("a correction's gradients in half precision are close to float32's",
          "[modules][correction]") {
  const auto input = GENERATE(CorrectionInput::kRaw, CorrectionInput::kRmsNorm);
  const auto dtype = GENERATE(at::kBFloat16, at::kHalf);
  DualPathCorrection correction =
      random_correction(64, options(input, CorrectionBeta::kChannel, /*reduction=*/4));
  torch::manual_seed(6);
  const at::Tensor x = torch::randn({2, 5, 64}).to(dtype).requires_grad_(),
                   wide = x.detach().to(at::kFloat).requires_grad_(),
                   slope = torch::randn({2, 5, 64}).to(dtype);
  std::vector<at::Tensor> leaves = correction->parameters(), wide_leaves = leaves;
  leaves.push_back(x);
  wide_leaves.push_back(wide);
  const auto ours = torch::autograd::grad({correction(x)}, leaves, {slope});
  const auto theirs =
      torch::autograd::grad({correction->composed(wide)}, wide_leaves, {slope.to(at::kFloat)});
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    INFO("gradient of leaf " << i);
    CHECK(ours[i].scalar_type() == leaves[i].scalar_type());
    const at::Tensor difference = ours[i].to(at::kFloat) - theirs[i];
    // The parameters' gradients are sums in float32; x's is rounded once.
    const double tolerance = i + 1 < leaves.size() ? 1e-5 : dtype == at::kHalf ? 1e-3 : 5e-3;
    CHECK((difference.norm() / theirs[i].norm()).item<double>() < tolerance);
  }
}

TEST_CASE("a correction of no rows has gradients of zeros", "[modules][correction]") {
  DualPathCorrection correction =
      random_correction(64, options(CorrectionInput::kRmsNorm, CorrectionBeta::kChannel, 4));
  const at::Tensor x = torch::zeros({0, 64}).requires_grad_();
  const at::Tensor y = correction(x);
  CHECK(y.sizes() == x.sizes());
  y.sum().backward();
  CHECK(x.grad().sizes() == x.sizes());
  for (const at::Tensor& parameter : correction->parameters())
    CHECK(parameter.grad().equal(torch::zeros_like(parameter)));
}
