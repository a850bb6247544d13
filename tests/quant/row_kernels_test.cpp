#include "quant/row_kernels.h"

#include <torch/utils.h>

#include <limits>

#include "quant/arithmetic.h"
#include "quant/tensor_kernels.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"

using namespace dualpath::quant;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

struct WeightRows {
  Tensor codes, scale;
};

WeightRows quantized(const Tensor& weight) {
  WeightRows rows{torch::empty(weight.sizes(), at::kChar), torch::empty({weight.size(0)})};
  quantize_weight_rows(weight, "a.weight", rows.codes, rows.scale);
  return rows;
}

Tensor dequantized(const Tensor& codes, const Tensor& scale, at::ScalarType dtype) {
  const Tensor y = torch::empty(codes.sizes(), dtype);
  dequantize_rows(codes, scale, y);
  return y;
}

}  // namespace

TEST_CASE("each row of a weight has its own scale and grid, without -128", "[quant][kernels]") {
  const Tensor weight = torch::tensor({{127.f, -2.5f, 0.5f}, {-254.f, 3.f, 5.f}, {0.f, 0.f, -0.f}});
  const WeightRows rows = quantized(weight);
  CHECK(rows.scale.equal(torch::tensor({1.f, 2.f, 1.f})));
  // 2.5 and 0.5 of a step go to the even code.
  CHECK(rows.codes.equal(torch::tensor({{127, -2, 0}, {-127, 2, 2}, {0, 0, 0}}, at::kChar)));
}

TEST_CASE("a weight's rows are the scalar header's, to the bit", "[quant][kernels]") {
  torch::manual_seed(13);
  const Tensor weight = torch::randn({67, 131}) * torch::rand({67, 1});
  const WeightRows rows = quantized(weight);
  for (std::int64_t r = 0; r < weight.size(0); ++r) {
    const float scale = symmetric_scale(weight[r].abs().max().item<float>(), kInt8Qmax);
    CHECK(rows.scale[r].item<float>() == scale);
    const Tensor codes = torch::empty({weight.size(1)}, at::kChar);
    for (std::int64_t c = 0; c < weight.size(1); ++c)
      codes[c] = quantize(weight[r][c].item<float>(), weight_grid(scale));
    CHECK(rows.codes[r].equal(codes));
  }
}

TEST_CASE("a weight that is not finite is an error that names it", "[quant][kernels]") {
  Tensor weight = torch::ones({4, 3});
  weight[2][1] = std::numeric_limits<float>::quiet_NaN();
  weight[0][0] = -std::numeric_limits<float>::infinity();
  CHECK(error_message([&] { quantized(weight); }) == "a.weight: 2 of 12 values are not finite");
}

TEST_CASE("every code is worth what the scalar header says, signed or not", "[quant][kernels]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const Tensor scale = torch::tensor({1.0f, 0.0371f, 3.0f / 127.0f});
  const Tensor codes = torch::arange(-128, 128, at::kInt).expand({3, 256});
  const Tensor expected = (codes.to(at::kFloat) * scale.unsqueeze(1)).to(dtype);
  CHECK(dequantized(codes.to(at::kChar).contiguous(), scale, dtype).equal(expected));
  const Tensor shifted = (codes + kUnsignedShift).to(at::kByte);
  CHECK(dequantized(shifted, scale, dtype).equal(expected));
  CHECK(dequantized(shifted, {}, dtype).equal(codes.to(dtype)));  // exact in every dtype
}

TEST_CASE("sums are scaled by their row and column as the scalar header says, to the bit",
          "[quant][kernels]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const bool with_bias = GENERATE(false, true);
  torch::manual_seed(14);
  constexpr std::int64_t kRows = 37, kColumns = 67, kLargest = 16384 * 128 * 127;
  const Tensor sums = torch::randint(-kLargest, kLargest, {kRows, kColumns}, at::kInt);
  const Tensor input_scale = torch::rand(kRows) * 0.1f,
               weight_scale = torch::rand(kColumns) * 1e-4f;
  const Tensor bias = with_bias ? torch::randn(kColumns) : Tensor();
  const Tensor expected = torch::empty({kRows, kColumns});
  for (std::int64_t r = 0; r < kRows; ++r) {
    for (std::int64_t c = 0; c < kColumns; ++c) {
      const float value = scaled_sum(sums[r][c].item<std::int32_t>(), input_scale[r].item<float>(),
                                     weight_scale[c].item<float>());
      expected[r][c] = with_bias ? value + bias[c].item<float>() : value;
    }
  }
  const auto scaled = [&](const Tensor& any_sums) {
    return scale_sum_rows(any_sums, input_scale, weight_scale, bias, dtype);
  };
  CHECK(scaled(sums).equal(expected.to(dtype)));
  CHECK(scaled(sums.to(at::kFloat)).equal(expected.to(dtype)));
}

TEST_CASE("each token is quantized on a grid of its own", "[quant][kernels]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const Tensor x = torch::tensor({{127.f, -2.5f, 0.5f}, {-254.f, 3.f, 5.f}, {0.f, 0.f, 0.f}});
  const Tensor codes = torch::tensor({{127, -2, 0}, {-127, 2, 2}, {0, 0, 0}}, at::kInt);
  const ScaledCodes as_int8 = quantize_tokens(x.to(dtype), /*unsigned_codes=*/false, "x"),
                    as_uint8 = quantize_tokens(x.to(dtype), /*unsigned_codes=*/true, "x");
  CHECK(as_int8.scale.equal(torch::tensor({1.f, 2.f, 1.f})));
  CHECK(as_int8.values.equal(codes.to(at::kChar)));
  CHECK(as_uint8.scale.equal(as_int8.scale));
  CHECK(as_uint8.values.equal((codes + kUnsignedShift).to(at::kByte)));
}

TEST_CASE("a token that is not finite is an error that names the site", "[quant][kernels]") {
  Tensor x = torch::ones({4, 3});
  x[2][1] = std::numeric_limits<float>::quiet_NaN();
  x[3][0] = std::numeric_limits<float>::infinity();
  CHECK(error_message([&] { quantize_tokens(x, false, "x.input"); }) ==
        "x.input: 2 of 12 values are not finite");
}
