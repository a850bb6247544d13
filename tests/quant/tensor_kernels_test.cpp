#include "quant/tensor_kernels.h"

#include <torch/cuda.h>

#include <limits>

#include "data/base/error.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

Tensor random_codes(std::int64_t rows, std::int64_t columns) {
  return torch::randint(-128, 128, {rows, columns}, at::kChar);
}

}  // namespace

TEST_CASE("a value that is not finite is an error that names its site", "[quant][kernels]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Tensor x = torch::ones({70, 3});
  x[3][1] = std::numeric_limits<float>::quiet_NaN();
  x[69][2] = kInfinity;
  x[0][0] = -kInfinity;
  const std::string site = "model.layers.3.mlp.down_proj.input";
  CHECK(error_message([&] { quantize(x.to(dtype), activation_grid(1.0f), site); }) ==
        site + ": 3 of 210 values are not finite");
}

TEST_CASE("a weight that is not finite is an error that names it", "[quant][kernels]") {
  Tensor weight = torch::ones({4, 3});
  weight[2][1] = std::numeric_limits<float>::quiet_NaN();
  CHECK(error_message([&] { quantize_channels(weight, "a.weight"); }) ==
        "a.weight: 1 of 12 values are not finite");
}

TEST_CASE("each channel of a weight has its own scale, without -128", "[quant][kernels]") {
  const Tensor weight =
      torch::tensor({{127.f, -2.f, 0.5f}, {-254.f, 200.f, 25.f}, {0.f, 0.f, 0.f}});
  const ScaledCodes made = quantize_channels(weight, "w");
  CHECK(made.scale.equal(torch::tensor({1.f, 2.f, 1.f})));
  CHECK(made.values.equal(
      torch::tensor({{127, -2, 0}, {-127, 100, 12}, {0, 0, 0}}, at::kChar)));  // 12.5: to even
}

TEST_CASE("each token has its own scale, on int8 or shifted to uint8", "[quant][kernels]") {
  const Tensor x = torch::tensor({{{127.f, -3.f}}, {{-254.f, 1.f}}});
  const ScaledCodes made = quantize_tokens(x, /*unsigned_codes=*/false, "x");
  CHECK(made.scale.equal(torch::tensor({1.f, 2.f})));
  CHECK(made.values.equal(torch::tensor({{{127, -3}}, {{-127, 0}}}, at::kChar)));
  const ScaledCodes shifted = quantize_tokens(x, /*unsigned_codes=*/true, "x");
  CHECK(shifted.scale.equal(made.scale));
  CHECK(shifted.values.equal(torch::tensor({{{255, 125}}, {{1, 128}}}, at::kByte)));
}

TEST_CASE("each group of a row has its own scale, on 4 or 8 bits", "[quant][kernels]") {
  const Tensor weight = torch::tensor({{7.f, -2.f, 254.f, 1.f}, {0.f, 0.f, -14.f, 9.f}});
  const ScaledCodes four = quantize_groups(weight, 2, 4, "w");
  CHECK(four.scale.equal(torch::tensor({{1.f, 254.f / 7}, {1.f, 2.f}})));
  CHECK(four.values.equal(torch::tensor({{7, -2, 7, 0}, {0, 0, -7, 4}}, at::kChar)));
  const ScaledCodes eight = quantize_groups(weight, 2, 8, "w");
  CHECK(eight.scale.equal(torch::tensor({{7.f / 127, 2.f}, {1.f, 14.f / 127}})));
  const ScaledCodes whole = quantize_groups(weight, 4, 8, "w"),
                    channels = quantize_channels(weight, "w");
  CHECK(whole.values.equal(channels.values));
  CHECK(whole.scale.flatten().equal(channels.scale));
}

TEST_CASE("codes and bits of a tensor that several threads share are those of its parts",
          "[quant][kernels]") {
  torch::manual_seed(9);
  const Tensor x = (torch::randn({301, 577}) * 60.0).to(at::kBFloat16);
  const Grid grid = activation_grid(1.0f);
  const Codes whole = quantize(x, grid, "x", /*want_in_range=*/true);
  const Tensor rounded = x.to(at::kFloat).round(), saturated = rounded.clamp(-128, 127);
  CHECK(whole.values.equal(saturated.to(at::kChar)));
  const Tensor in_range = (rounded == saturated).to(at::kBFloat16);
  CHECK(in_range.min().item<float>() == 0.0f);
  CHECK(mask_gradient(torch::ones_like(x), whole.in_range).equal(in_range));
  const ScaledCodes tokens = quantize_tokens(x, false, "x");
  CHECK(tokens.scale[300].equal(quantize_tokens(x[300], false, "x").scale[0]));
  CHECK(tokens.values[300].equal(quantize_tokens(x[300], false, "x").values));
}

TEST_CASE("codes come back as values by one scale or one a row", "[quant][kernels]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  torch::manual_seed(10);
  const Tensor codes = random_codes(130, 577), scale = torch::rand(130);
  const Tensor wide = codes.to(at::kFloat);
  CHECK(dequantize(codes, scale, dtype).equal((wide * scale.unsqueeze(1)).to(dtype)));
  CHECK(dequantize(codes, scale.slice(0, 3, 4), dtype).equal((wide * scale[3]).to(dtype)));
  const Tensor shifted = (wide + 128).to(at::kByte);
  CHECK(dequantize(shifted, scale, dtype).equal(dequantize(codes, scale, dtype)));
}

TEST_CASE("a tensor that is not contiguous is quantized by its own order", "[quant][kernels]") {
  const Tensor x = torch::tensor({{1.f, 2.f}, {3.f, 4.f}});
  CHECK(quantize(x.t(), activation_grid(1.0f), "x")
            .values.equal(torch::tensor({{1, 3}, {2, 4}}, at::kChar)));
}

TEST_CASE("the kernels on the GPU give the CPU's bits", "[quant][kernels][cuda]") {
  if (!torch::cuda::is_available()) {
    WARN("SKIP: no CUDA device");
    return;
  }
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  torch::manual_seed(8);
  const Tensor x = (torch::randn({130, 1536}) * 60.0).to(dtype);
  const Grid grid = activation_grid(0.7f);
  const Codes host = quantize(x, grid, "x", /*want_in_range=*/true);
  const Codes device = quantize(x.cuda(), grid, "x", /*want_in_range=*/true);
  CHECK(device.values.cpu().equal(host.values));
  CHECK(device.in_range.cpu().equal(host.in_range));
  CHECK(mask_gradient(x.cuda(), device.in_range).cpu().equal(mask_gradient(x, host.in_range)));
  Tensor broken = x.cuda();
  broken[5][5] = std::numeric_limits<float>::quiet_NaN();
  CHECK(error_message([&] { quantize(broken, grid, "x"); }) ==
        "x: 1 of 199680 values are not finite");
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
  check(quantize_tokens(x.cuda(), true, "x"), quantize_tokens(x, true, "x"));
  const ScaledCodes channels = quantize_channels(x, "x");
  check(quantize_channels(x.cuda(), "x"), channels);
  if (width % 32 == 0) check(quantize_groups(x.cuda(), 32, 4, "x"), quantize_groups(x, 32, 4, "x"));
  CHECK(dequantize(channels.values.cuda(), channels.scale.cuda(), dtype)
            .cpu()
            .equal(dequantize(channels.values, channels.scale, dtype)));
  Tensor broken = x.cuda();
  broken[5][0] = std::numeric_limits<float>::infinity();
  CHECK(error_message([&] { quantize_channels(broken, "x"); }) ==
        "x: 1 of " + std::to_string(x.numel()) + " values are not finite");
}
