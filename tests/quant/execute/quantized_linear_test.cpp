#include "quant/execute/quantized_linear.h"

#include <torch/autograd.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "quant/arithmetic.h"
#include "quant/calibrate/activation_scales.h"
#include "quant/ops/integer_linear.h"
#include "quant/ops/quantize.h"
#include "quant/ops/quantize_rows.h"
#include "tests/quant/weights.h"
#include "tests/support/catch.h"

using namespace dualpath::quant;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

using Weights = std::vector<QuantizedWeight>;

std::shared_ptr<QuantizedGroup> group_of(Weights weights) {
  return std::make_shared<QuantizedGroup>(
      QuantizedGroup{.site = "x.input", .weights = std::move(weights)});
}

/// A weight of one output, with the values codes * scale.
QuantizedWeight one_row(std::vector<int> codes, float scale) {
  return weight_of(
      {.codes = torch::tensor(codes, at::kChar).unsqueeze(0), .scale = torch::tensor({scale})});
}

/// y for one row of x, by the scalar header and int32 sums.
Tensor plain_linear(const Tensor& x, float scale, const QuantizedWeight& weight) {
  const Tensor wide = x.to(at::kFloat);
  const Tensor y = torch::empty(weight.outputs());
  for (std::int64_t n = 0; n < y.numel(); ++n) {
    std::int32_t sum = 0;
    for (std::int64_t k = 0; k < wide.numel(); ++k) {
      const std::int32_t code = quantize(wide[k].item<float>(), activation_grid(scale));
      sum += code * weight.grid->codes[n][k].item<std::int8_t>();
    }
    float value = scaled_sum(sum, scale, weight.grid->scale[n].item<float>());
    if (weight.bias.defined()) value += weight.bias[n].item<float>();
    y[n] = value;
  }
  return y.to(x.scalar_type());
}

/// group_of() with its input's gradient by integers.
std::shared_ptr<QuantizedGroup> integer_group_of(Weights weights, bool by_kernel) {
  for (QuantizedWeight& weight : weights) {
    if (by_kernel) weight.prepared = prepare(*weight.grid, fastest_kind(at::kCPU, 0));
  }
  const auto group = group_of(std::move(weights));
  group->input_gradients = InputGradients::kInt8;
  return group;
}

/// Sums in float64 the codes that quantize_tokens makes.
Tensor plain_input_gradient(const std::vector<Tensor>& grads, const Weights& weights) {
  std::vector<Tensor> codes, scales;
  for (const QuantizedWeight& weight : weights) {
    codes.push_back(weight.grid->codes);
    scales.push_back(weight.grid->scale);
  }
  const Tensor scaled = at::cat(grads, 1).to(at::kFloat) * at::cat(scales);
  const ScaledCodes made = quantize_tokens(scaled, token_grid(/*unsigned_codes=*/false), "x");
  const Tensor sums = made.values.to(at::kDouble).matmul(at::cat(codes).to(at::kDouble));
  const at::ScalarType dtype = grads.front().scalar_type();
  constexpr double kPower = 0x1p-7;  // keeps 200 products within float16
  const Tensor rounded = (sums * kPower).to(dtype).to(at::kFloat);
  return (rounded * (made.scale / kPower).unsqueeze(1)).to(dtype);
}

}  // namespace

TEST_CASE("a quantized linear is a plain loop over int32 sums, to the bit", "[quant][linear]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const bool with_bias = GENERATE(false, true);
  torch::manual_seed(9);
  QuantizedWeight weight = weight_of(quantize_weight(torch::randn({6, 40}), "w"));
  if (with_bias) weight.bias = torch::randn(6);
  const Tensor x = (torch::randn({2, 3, 40}) * 2.0).to(dtype), scale = torch::tensor({0.031f});
  const Tensor y = quantized_linear(x, scale, group_of({weight})).front();
  REQUIRE(y.sizes() == at::IntArrayRef{2, 3, 6});
  REQUIRE(y.scalar_type() == dtype);
  for (std::int64_t b = 0; b < 2; ++b) {
    for (std::int64_t t = 0; t < 3; ++t)
      CHECK(y[b][t].equal(plain_linear(x[b][t], 0.031f, weight)));
  }
}

TEST_CASE("by token each row has the linear of its own scale, to the bit", "[quant][linear]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  torch::manual_seed(9);
  QuantizedWeight weight = weight_of(quantize_weight(torch::randn({6, 40}), "w"));
  weight.bias = torch::randn(6);
  const Tensor x = (torch::randn({2, 3, 40}) * torch::rand({2, 3, 1}) * 9.0).to(dtype);
  const Tensor y = token_quantized_linear(x, group_of({weight})).front();
  REQUIRE(y.sizes() == at::IntArrayRef{2, 3, 6});
  REQUIRE(y.scalar_type() == dtype);
  for (std::int64_t b = 0; b < 2; ++b) {
    for (std::int64_t t = 0; t < 3; ++t) {
      const Tensor row = x[b][t];
      const float scale = row.to(at::kFloat).abs().max().item<float>() / 127.0f;
      CHECK(y[b][t].equal(plain_linear(row, scale, weight)));
    }
  }
}

TEST_CASE("by token the gradient passes to all of x", "[quant][linear]") {
  Tensor x = torch::tensor({{1.5f, -900.f}, {0.f, 0.f}}).requires_grad_();
  const auto group = group_of({one_row({1, 2}, 10.0f)});
  const Tensor y = token_quantized_linear(x, group).front();
  y.backward(torch::tensor({{7.0f}, {1.0f}}));
  CHECK(x.grad().equal(torch::tensor({{70.f, 140.f}, {10.f, 20.f}})));
}

TEST_CASE("a weight is quantized from float32 whatever dtype it comes in", "[quant][linear]") {
  const Tensor source = torch::tensor({{1.f, -4.f, 0.25f}}).to(at::kBFloat16);
  const GridWeight weight = quantize_weight(source, "w");
  CHECK(weight.scale.equal(torch::tensor({4.0f / 127.0f})));
  CHECK(weight.codes.equal(torch::tensor({{32, -127, 8}}, at::kChar)));
  CHECK(at::allclose(weight.dequantized(at::kFloat), source.to(at::kFloat), 0.0, 4.0 / 254));
}

TEST_CASE("the gradient passes to x where the rounded level is in range", "[quant][linear]") {
  // Levels for scale 0.5 are 3, 127, 128 (out), -128, -129 (out).
  Tensor x = torch::tensor({{1.5f, 63.7f, 63.8f, -64.2f, -64.3f}}).requires_grad_();
  const auto group = group_of({one_row({1, 2, 3, 4, 5}, 10.0f)});
  quantized_linear(x, torch::tensor({0.5f}), group).front().backward(torch::tensor({{7.0f}}));
  CHECK(x.grad().equal(torch::tensor({{70.f, 140.f, 0.f, 280.f, 0.f}})));
}

TEST_CASE("an input of 4 bits lies in [-8, 7], and so does its gradient's range",
          "[quant][linear]") {
  const bool by_kernel = GENERATE(false, true);
  // Levels for scale 0.5 are 3, 7, 8 (out), -8, -9 (out).
  Tensor x = torch::tensor({{1.5f, 3.7f, 3.8f, -4.2f, -4.3f}}).requires_grad_();
  QuantizedWeight weight = one_row({1, 2, 3, 4, 5}, 10.0f);
  if (by_kernel) weight.prepared = prepare(*weight.grid, fastest_kind(at::kCPU, 0));
  const auto group = group_of({weight});
  group->input_bits = 4;
  const Tensor scale = torch::tensor({0.5f});
  const Tensor y = quantized_linear(x, scale, group).front();
  CHECK(y.item<float>() == (3 + 2 * 7 + 3 * 7 - 4 * 8 - 5 * 8) * 5.0f);
  y.backward(torch::tensor({{7.0f}}));
  CHECK(x.grad().equal(torch::tensor({{70.f, 140.f, 0.f, 280.f, 0.f}})));

  const Tensor by_token = token_quantized_linear(x.detach() * 7.0f / 4.3f, group).front();
  // The token's scale is 1: codes 2, 6, 6, -7 (6.84), -7.
  CHECK(by_token.item<float>() == Approx((2 + 2 * 6 + 3 * 6 - 4 * 7 - 5 * 7) * 10.0f));
}

TEST_CASE("a trained scale of 4 bits learns by the ends of 4 bits", "[quant][linear]") {
  const Tensor x = torch::tensor({{1.6f, 100.0f, -100.0f}});
  const Tensor scale = torch::tensor({1.0f}).requires_grad_();
  const auto group = group_of({one_row({1, 10, 100}, 1.0f)});
  group->input_bits = 4;
  quantized_linear(x, scale, group).front().backward(torch::tensor({{1.0f}}));
  // Slopes: 2 - 1.6 in range, 7 and -8 at the ends.
  const double slope = 0.4 + 10 * 7.0 - 100 * 8.0;
  CHECK(scale.grad().item<double>() == Approx(slope / std::sqrt(3.0 * 7.0)).epsilon(1e-5));
}

TEST_CASE("the gradient of x is the slope of y over whole steps of the grid", "[quant][linear]") {
  torch::manual_seed(10);
  const QuantizedWeight weight = weight_of(quantize_weight(torch::randn({4, 8}), "w"));
  const auto group = group_of({weight});
  const Tensor slope = torch::randn({1, 4});
  constexpr float kScale = 0.125f;  // x + 2 * scale is exact
  const auto loss = [&](const Tensor& x) {
    return (quantized_linear(x, torch::tensor({kScale}), group).front() * slope).sum();
  };
  Tensor x = torch::randn({1, 8}).requires_grad_();
  loss(x).backward();
  for (std::int64_t k = 0; k < 8; ++k) {
    Tensor above = x.detach().clone(), below = above.clone();
    above[0][k] += 2 * kScale;
    below[0][k] -= 2 * kScale;
    const float difference = (loss(above) - loss(below)).item<float>() / (4 * kScale);
    CHECK(x.grad()[0][k].item<float>() == Approx(difference).margin(1e-4));
  }
}

TEST_CASE("the scale's gradient is the rounding error, or the end of the grid", "[quant][linear]") {
  // Levels 2.25 and -3.5 are in range: rounding moves them by -0.25 and -0.5 (to even: -4). 300
  // saturates at 127. Each counts times its weight; the sum counts times 1 / sqrt(3 * 127).
  Tensor scale = torch::tensor({2.0f}).requires_grad_();
  const Tensor x = torch::tensor({{4.5f, -7.0f, 600.0f}});
  quantized_linear(x, scale, group_of({one_row({4, 6, 1}, 1.0f)})).front().sum().backward();
  CHECK(scale.grad().item<float>() == Approx((-1.0 - 3.0 + 127.0) / std::sqrt(3 * 127.0)));
}

TEST_CASE("where all of x saturates the scale's gradient is y's slope times LSQ's factor",
          "[quant][linear]") {
  const Tensor x = torch::tensor({{500.f, -700.f}});
  const auto group = group_of({one_row({4, -6}, 0.5f)});
  const auto y = [&](float scale) {
    return quantized_linear(x, torch::tensor({scale}), group).front().item<float>();
  };
  Tensor scale = torch::tensor({2.0f}).requires_grad_();
  quantized_linear(x, scale, group).front().sum().backward();
  const double slope = (y(2.25f) - y(1.75f)) / 0.5;
  CHECK(scale.grad().item<float>() == Approx(slope / std::sqrt(2 * 127.0)));
}

TEST_CASE("LSQ's factor counts a token's features, not the tokens", "[quant][linear]") {
  const auto group = group_of({one_row({4, 6, 1}, 1.0f)});
  const auto gradient = [&](const Tensor& x) {
    Tensor scale = torch::tensor({2.0f}).requires_grad_();
    quantized_linear(x, scale, group).front().sum().backward();
    return scale.grad().item<float>();
  };
  const Tensor x = torch::tensor({{4.5f, -7.0f, 600.0f}});
  CHECK(gradient(x.expand({5, 3})) == Approx(5 * gradient(x)));
}

TEST_CASE("a trained scale is trained as its logarithm", "[quant][linear]") {
  ActivationScales scales(dualpath::modules::NamedTensors{{"x.input", torch::tensor({2.0f})}});
  CHECK(scales.parameters().empty());
  scales.make_trainable();
  const Tensor x = torch::tensor({{4.5f, -7.0f, 600.0f}});
  const auto group = group_of({one_row({4, 6, 1}, 1.0f)});
  quantized_linear(x, scales.get("x.input"), group).front().sum().backward();
  const Tensor log_scale = scales.parameters().at("x.input.log_scale");
  CHECK(scales.get("x.input").item<float>() == Approx(2.0f));
  CHECK(log_scale.grad().item<float>() == Approx(2.0 * 123.0 / std::sqrt(3 * 127.0)));
}

TEST_CASE("weights that meet one x add their gradients", "[quant][linear]") {
  Tensor x = torch::tensor({{1.0f, 500.0f}}).requires_grad_();
  const auto group = group_of({one_row({3, 5}, 1.0f), one_row({10, 20}, 0.1f)});
  const std::vector<Tensor> y = quantized_linear(x, torch::tensor({1.0f}), group);
  (2.0 * y[0] + 10.0 * y[1]).sum().backward();
  CHECK(at::allclose(x.grad(), torch::tensor({{16.0f, 0.0f}})));
}

TEST_CASE("a result that the loss does not use adds no gradient", "[quant][linear]") {
  Tensor x = torch::tensor({{1.0f, 2.0f}}).requires_grad_();
  const auto group = group_of({one_row({3, 5}, 1.0f), one_row({10, 20}, 1.0f)});
  quantized_linear(x, torch::tensor({1.0f}), group)[1].sum().backward();
  CHECK(x.grad().equal(torch::tensor({{10.0f, 20.0f}})));
}

TEST_CASE("half precision gets gradients in its own dtype", "[quant][linear]") {
  Tensor x = torch::tensor({{1.0f, 500.0f}}).to(at::kBFloat16).requires_grad_();
  const auto group = group_of({one_row({3, 5}, 1.0f)});
  quantized_linear(x, torch::tensor({1.0f}), group).front().sum().backward();
  CHECK(x.grad().equal(torch::tensor({{3.0f, 0.0f}}).to(at::kBFloat16)));
}

TEST_CASE("frozen weights and biases get no gradient and ask for no graph", "[quant][linear]") {
  QuantizedWeight weight = one_row({3, 5}, 1.0f);
  weight.bias = torch::ones(1);
  const auto group = group_of({weight});
  const Tensor scale = torch::tensor({1.0f});
  Tensor x = torch::tensor({{1.0f, 2.0f}});
  CHECK_FALSE(quantized_linear(x, scale, group).front().requires_grad());
  x.requires_grad_();
  quantized_linear(x, scale, group).front().sum().backward();
  CHECK_FALSE(group->weights.front().grid->scale.grad().defined());
  CHECK_FALSE(group->weights.front().bias.grad().defined());
  CHECK_FALSE(scale.grad().defined());
}

TEST_CASE("x itself is kept for backward only where the scale is trained", "[quant][linear]") {
  const auto holders_of_x = [](bool trains_scale) {
    const Tensor scale = torch::tensor({1.0f}).requires_grad_(trains_scale);
    const Tensor x = torch::zeros({1, 2}).requires_grad_() + 1.0;
    const auto y = quantized_linear(x, scale, group_of({one_row({3, 5}, 1.0f)}));
    return x.storage().use_count();
  };
  CHECK(holders_of_x(false) < holders_of_x(true));
}

TEST_CASE("integer gradients of an input are exact sums of codes, rounded as is written",
          "[quant][linear]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const bool by_kernel = GENERATE(false, true), by_token = GENERATE(false, true);
  torch::manual_seed(19);
  const Weights weights{weight_of(quantize_weight(torch::randn({136, 48}), "q")),
                        weight_of(quantize_weight(torch::randn({64, 48}) * 5.0, "k"))};
  const auto group = integer_group_of(weights, by_kernel);
  const Tensor x = torch::randn({40, 48}).to(dtype).requires_grad_();
  const std::vector<Tensor> grads{torch::randn({40, 136}).to(dtype),
                                  (torch::randn({40, 64}) * torch::rand({40, 1})).to(dtype)};
  const std::vector<Tensor> y = by_token ? token_quantized_linear(x, group)
                                         : quantized_linear(x, torch::tensor({1.0f / 64}), group);
  const Tensor made = torch::autograd::grad({y[0], y[1]}, {x}, grads).front();
  Tensor expected = plain_input_gradient(grads, weights);
  const Tensor level = (x.detach().to(at::kFloat) * 64).round();
  const Tensor out = level.lt(-128).logical_or(level.gt(127));
  if (!by_token) {
    REQUIRE(out.any().item<bool>());
    expected = expected.masked_fill(out, 0.0);
  }
  CHECK(made.equal(expected));
}

TEST_CASE("integer gradients are off by a hundredth", "[quant][linear]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16);
  torch::manual_seed(20);
  const Weights weights{weight_of(quantize_weight(torch::randn({256, 128}), "w"))};
  const Tensor x = torch::randn({64, 128}).to(dtype).requires_grad_();
  const Tensor grad = (torch::randn({64, 256}) * torch::rand({64, 1}) * 1e-6).to(dtype);
  const auto of_x = [&](const std::shared_ptr<QuantizedGroup>& group) {
    const Tensor y = token_quantized_linear(x, group).front();
    return torch::autograd::grad({y}, {x}, {grad}).front().to(at::kFloat);
  };
  const Tensor exact = of_x(group_of(weights)), made = of_x(integer_group_of(weights, true));
  const double error = ((made - exact).norm() / exact.norm()).item<double>();
  CHECK(error < 0.01);
  CHECK(error > 0.001);  // so it was not computed in float
}

TEST_CASE("integer gradients of a result that the loss does not use are zeros", "[quant][linear]") {
  torch::manual_seed(22);
  const Weights weights{weight_of(quantize_weight(torch::randn({8, 16}), "q")),
                        weight_of(quantize_weight(torch::randn({24, 16}), "k"))};
  const Tensor x = torch::randn({4, 16}).requires_grad_(), grad = torch::randn({4, 24});
  const Tensor y = token_quantized_linear(x, integer_group_of(weights, false))[1];
  CHECK(torch::autograd::grad({y}, {x}, {grad})
            .front()
            .equal(plain_input_gradient({torch::zeros({4, 8}), grad}, weights)));
}

TEST_CASE("integer gradients are for frozen weights", "[quant][linear]") {
  torch::manual_seed(21);
  const Tensor source = torch::randn({8, 16}).requires_grad_();
  const QuantizedWeight weight = trained_weight(source);
  const Tensor x = torch::randn({4, 16}).requires_grad_(), grad = torch::randn({4, 8});
  const auto of_x = [&](const std::shared_ptr<QuantizedGroup>& group) {
    return torch::autograd::grad({token_quantized_linear(x, group).front()}, {x}, {grad}).front();
  };
  CHECK(of_x(integer_group_of({weight}, true)).equal(of_x(group_of({weight}))));
}

TEST_CASE("integer gradients of what is not finite are NaN", "[quant][linear]") {
  const float broken = GENERATE(std::nanf(""), std::numeric_limits<float>::infinity());
  const auto group = integer_group_of({one_row({3, 5}, 1.0f)}, false);
  const Tensor x = torch::ones({2, 2}).requires_grad_();
  quantized_linear(x, torch::tensor({1.0f}), group)
      .front()
      .backward(torch::tensor({{1.0f}, {broken}}));
  CHECK(x.grad().isnan().all().item<bool>());
}
