#include "trainer/experiment/device.h"

#include <torch/cuda.h>

#include "tests/support/catch.h"
#include "tests/support/error_message.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;
using Catch::Contains;

TEST_CASE("a recipe's device is chosen by what build and machine have", "[trainer][device]") {
  Recipe recipe;
  recipe.device = at::kCPU;
  choose_device(recipe);
  CHECK(recipe.model.device == at::kCPU);
  recipe.device = std::nullopt;
  choose_device(recipe, /*local_rank=*/1);
  if (!torch::cuda::is_available()) CHECK(recipe.model.device == at::kCPU);
  recipe.device = at::Device(at::kCUDA, 63);
  CHECK_THAT(error_message([&] { choose_device(recipe); }),
             Contains("device: cuda:63 asked for, but "));
}

TEST_CASE("a run's first line says what computes the products of each of its schemes",
          "[trainer][device]") {
  Recipe recipe;
  CHECK_THAT(compute_text(recipe), Contains("device: cpu; compute: integer, INT8 by ") &&
                                       !Contains("weights") && !Contains("simulated"));
  quant::ConfigGroup& group = recipe.quantize.config_groups.front();
  group.weights.strategy = quant::Strategy::kGroup;
  CHECK_THAT(compute_text(recipe), Contains(", weights by group by ") && !Contains("simulated"));
  recipe.compute = quant::Compute::kSimulate;
  CHECK_THAT(compute_text(recipe),
             Contains(", weights by group by ") && Contains(", group by group;"));
  recipe.model.device = at::Device(at::kCUDA, 0);
  CHECK_THAT(compute_text(recipe), Contains("device: cuda:0; ") &&
                                       Contains(", weights by group by a kernel of ours (dp4a); "));
  group.input_activations = std::nullopt;
  recipe.quantize.attention_scheme.emplace();
  CHECK_THAT(compute_text(recipe),
             !Contains("by group") &&
                 Contains(", weights alone by their values, attention simulated exactly; "));
  recipe.quantize = quant::QuantizeOptions::nothing();
  CHECK_THAT(compute_text(recipe), Contains("compute: bfloat16, nothing is quantized; "));
}
