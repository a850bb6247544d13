#include "quant/execute/weight_only_linear.h"

#include <torch/utils.h>

#include "quant/execute/quantized_executor.h"
#include "tests/quant/hand_made.h"
#include "tests/support/catch.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

const modules::LinearRef kRef{"a", 64, 5, true};

/// One linear with only its weight quantized.
struct WeightOnly {
  std::shared_ptr<modules::WeightOverlay> weights;
  Plan plan;
  ActivationScales scales;

  explicit WeightOnly(const QuantArgs& args) {
    weights = std::make_shared<modules::WeightOverlay>(std::make_shared<MemoryStore>(
        modules::NamedTensors{{"a.weight", torch::randn({5, 64})}, {"a.bias", torch::randn(5)}}));
    plan.linears = {{kRef, "stage", "a.input", args, std::nullopt}};
  }
  Tensor run(const Tensor& x) {
    QuantizedExecutor executor(weights, x.scalar_type(), plan, scales);
    return executor.linear(modules::LinearRefs{kRef}, x).front();
  }
};

}  // namespace

TEST_CASE("with its weight alone quantized, a linear is the float one of the weight's values",
          "[quant][linear]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16);
  const bool symmetric = GENERATE(true, false), grouped = GENERATE(true, false);
  torch::manual_seed(21);
  const QuantArgs args =
      weights_of(4, grouped ? Strategy::kGroup : Strategy::kChannel, grouped ? 32 : 0, symmetric);
  WeightOnly linear(args);
  const Tensor x = torch::randn({2, 3, 64}).to(dtype);
  const GridWeight weight = quantize_weight(linear.weights->get("a.weight"), "w", args);
  const Tensor values =
      (weight.codes.view({5, grouped ? 2 : 1, -1}).to(at::kFloat) * weight.scale.view({5, -1, 1}))
          .view({5, 64})
          .to(dtype);
  CHECK(linear.run(x).equal(at::linear(x, values, linear.weights->get("a.bias").to(dtype))));
}

TEST_CASE("the gradients of a trained weight go straight through its rounding",
          "[quant][trained]") {
  torch::manual_seed(22);
  WeightOnly linear(weights_of(3, Strategy::kGroup, 32, false));
  const auto train = [&](const std::string& name) {
    const Tensor leaf = linear.weights->get(name).clone().requires_grad_();
    linear.weights->set(name, leaf);
    return leaf;
  };
  const Tensor weight = train("a.weight"), bias = train("a.bias");
  const Tensor x = torch::randn({7, 64}).requires_grad_(), slope = torch::randn({7, 5});
  (linear.run(x) * slope).sum().backward();
  const Tensor values =
      quantize_weight(weight, "w", linear.plan.linears[0].weights).dequantized(at::kFloat);
  CHECK(at::allclose(x.grad(), slope.matmul(values)));
  CHECK(at::allclose(weight.grad(), slope.t().matmul(x.detach())));
  CHECK(at::allclose(bias.grad(), slope.sum(0)));
}
