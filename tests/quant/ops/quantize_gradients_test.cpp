#include "quant/ops/quantize_gradients.h"

#include <torch/cuda.h>

#include <limits>

#include "tests/support/catch.h"

using namespace dualpath;
using namespace dualpath::quant;
using torch::Tensor;

TEST_CASE("gradients side by side have the codes of one tensor with its columns scaled",
          "[quant][kernels]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  torch::manual_seed(11);
  const Tensor left = torch::randn({301, 77}).to(dtype), right = torch::randn({301, 500}).to(dtype);
  const Tensor factors = torch::rand(577);
  const Tensor whole = at::cat({left, right}, 1).to(at::kFloat) * factors;
  for (const bool unsigned_codes : {false, true}) {
    const ScaledCodes made = quantize_gradients({left, right}, factors, unsigned_codes);
    const ScaledCodes expected = quantize_tokens(whole, token_grid(unsigned_codes), "x");
    CHECK(made.values.equal(expected.values));
    CHECK(made.scale.equal(expected.scale));
  }
  left[300][5] = std::numeric_limits<float>::infinity();
  CHECK(quantize_gradients({left, right}, factors, false).scale.isnan().all().item<bool>());
}

TEST_CASE("gradients on the GPU have the CPU's bits", "[quant][kernels][cuda]") {
  if (!torch::cuda::is_available()) {
    WARN("SKIP: no CUDA device");
    return;
  }
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  torch::manual_seed(12);
  const Tensor left = torch::randn({130, 77}).to(dtype), right = torch::randn({130, 50}).to(dtype);
  const Tensor factors = torch::rand(127);
  const ScaledCodes host = quantize_gradients({left, right}, factors, false);
  const ScaledCodes device = quantize_gradients({left.cuda(), right.cuda()}, factors.cuda(), false);
  CHECK(device.values.cpu().equal(host.values));
  CHECK(device.scale.cpu().equal(host.scale));
}
