#include "quant/execute/norm_linear.h"

#include <torch/utils.h>

#include <limits>

#include "modules/ops/norm.h"
#include "quant/execute/quantized_linear.h"
#include "quant/scheme.h"
#include "tests/quant/weights.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

std::shared_ptr<QuantizedGroup> group_of(std::int64_t width, Compute compute) {
  auto group = std::make_shared<QuantizedGroup>(QuantizedGroup{.site = "x.input", .weights = {}});
  const WeightKind kind =
      compute == Compute::kInteger ? fastest_kind(at::kCPU, 0) : WeightKind::kCodes;
  for (const std::int64_t rows : {5, 3})
    group->weights.push_back(
        weight_of(quantize_weight(torch::randn({rows, width}), "w"), /*bias=*/{}, kind));
  return group;
}

constexpr double kNormEps = 1e-5;

}  // namespace

TEST_CASE("norm and quantize as one kernel have the bits of the two apart, each way",
          "[quant][norm]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const std::int64_t width = GENERATE(16, 67, 576);
  const Compute compute = GENERATE(Compute::kInteger, Compute::kSimulate);
  torch::manual_seed(12);
  const auto group = group_of(width, compute);
  const Tensor weight = torch::rand(width) + 0.5;
  const Tensor x = (torch::randn({2, 3, width}) * 5.0).to(dtype);
  const Tensor scale = torch::tensor({0.01f});  // a good part of the values saturates
  const auto run = [&](bool fused) {
    const Tensor leaf = x.clone().requires_grad_();
    const auto y = fused
                       ? norm_quantized_linear(leaf, weight, kNormEps, scale, group)
                       : quantized_linear(modules::rms_norm(leaf, weight, kNormEps), scale, group);
    (y[0].to(at::kFloat).square().sum() + y[1].to(at::kFloat).sum()).backward();
    return std::vector<Tensor>{y[0], y[1], leaf.grad()};
  };
  const auto fused = run(true), apart = run(false);
  for (std::size_t i = 0; i < 3; ++i) CHECK(fused[i].equal(apart[i]));
  CHECK(fused[2].abs().max().item<float>() > 0.0f);
}

TEST_CASE("a norm that is not finite is an error that names the site", "[quant][norm]") {
  Tensor x = torch::ones({4, 16});
  x[2][3] = std::numeric_limits<float>::quiet_NaN();
  CHECK(error_message([&] {
          norm_quantized_linear(x, torch::ones(16), kNormEps, torch::ones({1}),
                                group_of(16, Compute::kInteger));
        }) == "x.input: 16 of 64 values are not finite in float32 (model.dtype)");
}
