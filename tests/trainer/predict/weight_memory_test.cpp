#include "trainer/predict/weight_memory.h"

#include "tests/support/catch.h"
#include "tests/trainer/tiny_experiment.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;

namespace {

/// The bytes that gradients in float take beyond those in INT8.
double more_for_float(const std::function<void(Recipe&)>& change) {
  const auto bytes = [&](quant::InputGradients input_gradients) {
    const Experiment experiment = tiny_experiment([&](Recipe& recipe) {
      change(recipe);
      recipe.train.input_gradients = input_gradients;
    });
    return weight_bytes(experiment.recipe, experiment.plan, *experiment.model.weights);
  };
  return bytes(quant::InputGradients::kFloat) - bytes(quant::InputGradients::kInt8);
}

}  // namespace

TEST_CASE("integer gradients keep transposed weights in bytes", "[trainer][weight_memory]") {
  double weights = 0.0;
  for (const quant::PlannedLinear& linear : tiny_experiment().plan.linears)
    weights += static_cast<double>(linear.ref.in_features * linear.ref.out_features);
  REQUIRE(weights > 0.0);
  CHECK(more_for_float([](Recipe&) {}) == weights * (sizeof(float) - 1));
  CHECK(more_for_float([](Recipe& recipe) { recipe.quantize.ignore.clear(); }) ==
        weights * (sizeof(float) - 1));  // the head's are in float
}

TEST_CASE("a device that shares no pages with the file holds all weights",
          "[trainer][weight_memory]") {
  Experiment experiment = tiny_experiment([](Recipe& recipe) {
    recipe.compute = quant::Compute::kSimulate;  // codes are kept once, as on the CPU
  });
  const modules::WeightStore& weights = *experiment.model.weights;  // float32, as recipe and file
  const double here = weight_bytes(experiment.recipe, experiment.plan, weights);
  experiment.recipe.model.device = at::kCUDA;
  CHECK(weight_bytes(experiment.recipe, experiment.plan, weights) - here ==
        static_cast<double>(parameter_count(weights)) * sizeof(float));
}

TEST_CASE("weights that are trained or have scales by group go back in float",
          "[trainer][weight_memory]") {
  CHECK(more_for_float([](Recipe& recipe) { recipe.train.learning_rate.weights = 1e-5; }) == 0.0);
  CHECK(more_for_float([](Recipe& recipe) {
          quant::QuantArgs& weights = recipe.quantize.config_groups.front().weights;
          weights.strategy = quant::Strategy::kGroup;
          weights.group_size = 32;
        }) == 0.0);
}
