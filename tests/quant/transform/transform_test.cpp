#include "quant/transform/transform.h"

#include "quant/calibrate/calibration.h"
#include "quant/plan/planner.h"
#include "tests/quant/hand_made.h"
#include "tests/support/catch.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;

namespace {

Plan plan_of(const modules::Model& model, bool smooths) {
  QuantizeOptions options;
  if (smooths) options.smoothing.emplace();
  return make_plan(model.structure, options);
}

}  // namespace

TEST_CASE("rows are named by the transforms that a plan asks for", "[quant][transform]") {
  const modules::Model model = tiny_llama("tied");
  const Plan plain = plan_of(model, false), smooth = plan_of(model, true);
  CHECK(transforms_of(plain).empty());
  CHECK(row_prefix(plain) == "");
  CHECK((transforms_of(smooth) == std::vector{TransformKind::kSmoothing}));
  CHECK(row_prefix(smooth) == "smoothed");
  CHECK(calibration_passes(plain) == 1);
  CHECK(calibration_passes(smooth) == 2);
}

TEST_CASE("a unit calibration has a transform for each that the plan asks for, and changes nothing",
          "[quant][transform]") {
  const modules::Model model = tiny_llama("tied");
  const Plan smooth = plan_of(model, true);
  const Transforms transforms = unit_calibration(smooth).transforms;
  REQUIRE(transforms.size() == 1);
  const auto weights = transformed(model.weights, smooth, transforms);
  CHECK(weights->is_changed("model.layers.0.mlp.up_proj.weight"));
  for (const std::string& name : model.weights->names())
    CHECK(weights->get(name).equal(model.weights->get(name).to(weights->get(name).scalar_type())));
}

TEST_CASE("weights without transforms are the store that was given", "[quant][transform]") {
  const modules::Model model = tiny_llama("tied");
  CHECK(transformed(model.weights, plan_of(model, false), {}) == model.weights);
}
