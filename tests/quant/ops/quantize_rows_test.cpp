#include "quant/ops/quantize_rows.h"

#include <torch/cuda.h>

#include <limits>

#include "quant/ops/dequantize.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

constexpr QuantArgs kAsymmetricInt4{
    .num_bits = 4, .strategy = Strategy::kChannel, .symmetric = false};

QuantArgs by_group(int num_bits, std::int64_t size) {
  return {.num_bits = num_bits, .strategy = Strategy::kGroup, .group_size = size};
}

}  // namespace

TEST_CASE("a weight that is not finite is an error that names it", "[quant][kernels]") {
  Tensor weight = torch::ones({4, 3});
  weight[2][1] = std::numeric_limits<float>::quiet_NaN();
  const QuantArgs args = GENERATE(kWeightInt8, kAsymmetricInt4);
  CHECK(error_message([&] { quantize_by(args, weight, "a.weight"); }) ==
        "a.weight: 1 of 12 values are not finite in float32 (model.dtype)");
}

TEST_CASE("each channel of a weight has its own scale, without -128", "[quant][kernels]") {
  const Tensor weight =
      torch::tensor({{127.f, -2.f, 0.5f}, {-254.f, 200.f, 25.f}, {0.f, 0.f, 0.f}});
  const ScaledCodes made = quantize_by(kWeightInt8, weight, "w");
  CHECK(made.scale.equal(torch::tensor({1.f, 2.f, 1.f})));
  CHECK(made.values.equal(
      torch::tensor({{127, -2, 0}, {-127, 100, 12}, {0, 0, 0}}, at::kChar)));  // 12.5: to even
}

TEST_CASE("each token has its own scale, on int8 or shifted to uint8", "[quant][kernels]") {
  const Tensor x = torch::tensor({{{127.f, -3.f}}, {{-254.f, 1.f}}});
  const ScaledCodes made = quantize_tokens(x, token_grid(/*unsigned_codes=*/false), "x");
  CHECK(made.scale.equal(torch::tensor({1.f, 2.f})));
  CHECK(made.values.equal(torch::tensor({{{127, -3}}, {{-127, 0}}}, at::kChar)));
  const ScaledCodes shifted = quantize_tokens(x, token_grid(/*unsigned_codes=*/true), "x");
  CHECK(shifted.scale.equal(made.scale));
  CHECK(shifted.values.equal(torch::tensor({{{255, 125}}, {{1, 128}}}, at::kByte)));
}

TEST_CASE("a token of 4 bits has the scale that takes its largest value to 7", "[quant][kernels]") {
  const Tensor x = torch::tensor({{7.f, -3.4f}, {-14.f, 1.f}});
  const ScaledCodes made = quantize_tokens(x, token_grid(/*unsigned_codes=*/false, 4), "x");
  CHECK(made.scale.equal(torch::tensor({1.f, 2.f})));
  CHECK(made.values.equal(torch::tensor({{7, -3}, {-7, 0}}, at::kChar)));
  const ScaledCodes shifted = quantize_tokens(x, token_grid(/*unsigned_codes=*/true, 4), "x");
  CHECK(shifted.scale.equal(made.scale));
  CHECK(shifted.values.equal(torch::tensor({{135, 125}, {121, 128}}, at::kByte)));
}

TEST_CASE("each group of a row has its own scale, on 3, 4 or 8 bits", "[quant][kernels]") {
  const Tensor weight = torch::tensor({{7.f, -2.f, 254.f, 1.f}, {0.f, 0.f, -14.f, 9.f}});
  const ScaledCodes three = quantize_by(by_group(3, 4), weight, "w");
  CHECK(three.scale.equal(torch::tensor({{254.f / 3}, {14.f / 3}})));
  CHECK(three.values.equal(torch::tensor({{0, 0, 3, 0}, {0, 0, -3, 2}}, at::kChar)));
  const ScaledCodes four = quantize_by(by_group(4, 2), weight, "w");
  CHECK(four.scale.equal(torch::tensor({{1.f, 254.f / 7}, {1.f, 2.f}})));
  CHECK(four.values.equal(torch::tensor({{7, -2, 7, 0}, {0, 0, -7, 4}}, at::kChar)));
  const ScaledCodes eight = quantize_by(by_group(8, 2), weight, "w");
  CHECK(eight.scale.equal(torch::tensor({{7.f / 127, 2.f}, {1.f, 14.f / 127}})));
  const ScaledCodes whole = quantize_by(by_group(8, 4), weight, "w"),
                    channels = quantize_by(kWeightInt8, weight, "w");
  CHECK(whole.values.equal(channels.values));
  CHECK(whole.scale.flatten().equal(channels.scale));
  CHECK_FALSE(whole.zero_point.defined());
}

TEST_CASE("an asymmetric weight's codes are less their zero point", "[quant][kernels]") {
  // Ranges are 0 to 15, -3 to 12, -30 to 0 and empty, in 15 steps.
  const Tensor weight =
      torch::tensor({{15.f, 1.f, 6.5f}, {-3.f, 12.f, 4.f}, {-30.f, -1.f, -5.f}, {0.f, 0.f, 0.f}});
  const ScaledCodes made = quantize_by(kAsymmetricInt4, weight, "w");
  CHECK(made.scale.equal(torch::tensor({1.f, 1.f, 2.f, 1.f})));
  CHECK(made.zero_point.equal(torch::tensor({-8, -5, 7, -8}, at::kChar)));
  CHECK(made.values.equal(
      torch::tensor({{15, 1, 6}, {-3, 12, 4}, {-15, 0, -2}, {0, 0, 0}}, at::kChar)));
  QuantArgs by_threes = kAsymmetricInt4;
  by_threes.strategy = Strategy::kGroup;
  by_threes.group_size = 3;
  const ScaledCodes grouped = quantize_by(by_threes, weight.view({2, 6}), "w");
  CHECK(grouped.values.view({4, 3}).equal(made.values));
  CHECK(grouped.scale.equal(made.scale.view({2, 2})));
  CHECK(grouped.zero_point.equal(made.zero_point.view({2, 2})));
}

TEST_CASE("tokens that several threads share have the codes of each alone", "[quant][kernels]") {
  torch::manual_seed(9);
  const Tensor x = (torch::randn({301, 577}) * 60.0).to(at::kBFloat16);
  const ScaledCodes tokens = quantize_tokens(x, token_grid(false), "x");
  CHECK(tokens.scale[300].equal(quantize_tokens(x[300], token_grid(false), "x").scale[0]));
  CHECK(tokens.values[300].equal(quantize_tokens(x[300], token_grid(false), "x").values));
}

TEST_CASE("rows on the GPU have the CPU's scales and codes", "[quant][kernels][cuda]") {
  if (!torch::cuda::is_available()) {
    WARN("SKIP: no CUDA device");
    return;
  }
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const std::int64_t width = GENERATE(1, 33, 576, 1536, 4100);
  torch::manual_seed(11);
  const Tensor x = (torch::randn({130, width}) * 60.0).to(dtype);
  x[7] = 0.0;
  const auto check = [](const ScaledCodes& device, const ScaledCodes& host) {
    CHECK(device.values.cpu().equal(host.values));
    CHECK(device.scale.cpu().equal(host.scale));
  };
  check(quantize_tokens(x.cuda(), token_grid(true), "x"),
        quantize_tokens(x, token_grid(true), "x"));
  const ScaledCodes channels = quantize_by(kWeightInt8, x, "x");
  check(quantize_by(kWeightInt8, x.cuda(), "x"), channels);
  if (width % 32 == 0)
    check(quantize_by(by_group(4, 32), x.cuda(), "x"), quantize_by(by_group(4, 32), x, "x"));
  const ScaledCodes device = quantize_by(kAsymmetricInt4, x.cuda(), "x"),
                    host = quantize_by(kAsymmetricInt4, x, "x");
  check(device, host);
  CHECK(device.zero_point.cpu().equal(host.zero_point));
  CHECK(dequantize(channels.values.cuda(), channels.scale.cuda(), dtype)
            .cpu()
            .equal(dequantize(channels.values, channels.scale, dtype)));
  Tensor broken = x.cuda();
  broken[5][0] = std::numeric_limits<float>::infinity();
  CHECK_THAT(
      error_message([&] { quantize_by(kWeightInt8, broken, "x"); }),
      Catch::StartsWith("x: 1 of " + std::to_string(x.numel()) + " values are not finite in "));
}
