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
  CHECK(error_message([&] { quantize_rows(weight, torch::ones(4), "a.weight"); }) ==
        "a.weight: 1 of 12 values are not finite");
}

TEST_CASE("each row of a weight is quantized on its own grid, without -128", "[quant][kernels]") {
  const Tensor weight = torch::tensor({{1.f, -2.f, 0.5f}, {-300.f, 400.f, 25.f}});
  const Tensor codes = quantize_rows(weight, torch::tensor({1.f, 2.f}), "w");
  CHECK(codes.equal(torch::tensor({{1, -2, 0}, {-127, 127, 12}}, at::kChar)));  // 12.5: to even
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
  Tensor broken = x.cuda();
  broken[5][5] = std::numeric_limits<float>::quiet_NaN();
  CHECK(error_message([&] { quantize(broken, grid, "x"); }) ==
        "x: 1 of 199680 values are not finite");
}
