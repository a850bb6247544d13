#include "quant/arithmetic.h"
#include "quant/execute/quantized_linear.h"
#include "quant/ops/quantize.h"
#include "tests/support/catch.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;

namespace {

constexpr std::int64_t kPatterns = 65536;

/// Every bit pattern of a 16-bit float type; 0 if it is not finite.
torch::Tensor every_pattern(at::ScalarType dtype) {
  const torch::Tensor bits = torch::arange(kPatterns, at::kInt).to(at::kShort);
  const torch::Tensor values = bits.view(dtype);
  return torch::where(values.isfinite(), values, torch::zeros({}, dtype));
}

/// Runs the scalar header, an element at a time.
struct ScalarLoop {
  std::vector<std::int8_t> codes;
  std::vector<std::uint8_t> in_range;  // a bit an element

  ScalarLoop(const torch::Tensor& x, Grid grid) {
    const torch::Tensor wide = x.to(at::kFloat).contiguous();
    for (const float value : std::span(wide.const_data_ptr<float>(), wide.numel())) {
      const auto bit = codes.size() % 8;
      if (bit == 0) in_range.push_back(0);
      codes.push_back(static_cast<std::int8_t>(quant::quantize(value, grid)));
      in_range.back() |=
          static_cast<std::uint8_t>(quant::in_range(level(value, grid), grid) << bit);
    }
  }
  bool equals(const Codes& kernel) const {
    return torch::tensor(codes, at::kChar).equal(kernel.values) &&
           torch::tensor(in_range, at::kByte).equal(kernel.in_range);
  }
};

}  // namespace

TEST_CASE("every bfloat16 pattern has ONNX Runtime's code", "[quant][onnx]") {
  modules::NamedTensors expected = expected_tensors("onnx_quantize.safetensors");
  const torch::Tensor scales = expected["patterns.scales"], x = every_pattern(at::kBFloat16);
  REQUIRE(scales.numel() == 12);
  for (std::int64_t s = 0; s < scales.numel(); ++s) {
    const Grid grid = activation_grid(scales[s].item<float>());
    INFO("scale " << grid.scale);
    const torch::Tensor codes = expected["patterns.codes"][s];
    CHECK(quantize(x, grid, "x").values.equal(codes));
    CHECK(quantize(x.to(at::kFloat), grid, "x").values.equal(codes));
  }
}

TEST_CASE("ties and the floats beside them have ONNX Runtime's codes", "[quant][onnx]") {
  modules::NamedTensors expected = expected_tensors("onnx_quantize.safetensors");
  for (std::int64_t s = 0; s < 12; ++s) {
    const Grid grid = activation_grid(expected["patterns.scales"][s].item<float>());
    INFO("scale " << grid.scale);
    const torch::Tensor x = expected["neighbours.x"][s];
    CHECK(quantize(x, grid, "x").values.equal(expected["neighbours.codes"][s]));
  }
}

TEST_CASE("a weight's scales and codes are ONNX Runtime's per channel", "[quant][onnx]") {
  modules::NamedTensors expected = expected_tensors("onnx_quantize.safetensors");
  const GridWeight weight = quantize_weight(expected["weight.x"], "w");
  CHECK(weight.scale.equal(expected["weight.scales"]));
  CHECK(weight.codes.equal(expected["weight.codes"]));
}

TEST_CASE("the kernels give the scalar header's codes and range for every 16-bit pattern",
          "[quant][kernels]") {
  const at::ScalarType dtype = GENERATE(at::kHalf, at::kBFloat16);
  const torch::Tensor x = every_pattern(dtype);
  for (const float scale : {1.0f, 0.0371f, 3.0f, 1.0f / 127, 0x1p-24f, 517.0f, 1e-30f}) {
    for (const Grid grid : {activation_grid(scale), weight_grid(scale), Grid{scale, 3, 0, 15}}) {
      INFO(c10::toString(dtype) << ", scale " << scale << ", qmin " << grid.qmin);
      const ScalarLoop expected(x, grid);
      CHECK(expected.equals(quantize(x, grid, "x", /*want_in_range=*/true)));
      CHECK(expected.equals(quantize(x.to(at::kFloat), grid, "x", /*want_in_range=*/true)));
    }
  }
}
