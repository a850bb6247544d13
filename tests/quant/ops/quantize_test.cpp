#include "quant/ops/quantize.h"

#include <torch/cuda.h>

#include <limits>

#include "modules/weights/compute_dtype.h"
#include "quant/ops/mask_gradient.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

Tensor masked(const Tensor& grad, const Tensor& in_range) {
  Tensor copy = grad.clone();
  mask_gradient(copy, in_range);
  return copy;
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
  const std::string in(name_in(modules::kComputeDtypes, dtype));
  CHECK_THAT(
      error_message([&] { quantize(x.to(dtype), activation_grid(1.0f), site); }),
      Catch::StartsWith(site + ": 3 of 210 values are not finite in " + in + " (model.dtype)"));
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
  CHECK(masked(torch::ones_like(x), whole.in_range).equal(in_range));
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
  CHECK(masked(x.cuda(), device.in_range).cpu().equal(masked(x, host.in_range)));
  Tensor broken = x.cuda();
  broken[5][5] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THAT(error_message([&] { quantize(broken, grid, "x"); }),
             Catch::StartsWith("x: 1 of 199680 values are not finite in "));
}
