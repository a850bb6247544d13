#include "quant/compare/saturation.h"

#include <torch/torch.h>

#include "quant/plan/planner.h"
#include "tests/quant/hand_made.h"
#include "tests/support/catch.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using modules::Modality;
using torch::Tensor;

namespace {

const modules::LinearRefs kLinear{{"model.layers.0.proj", 2, 2}};
const std::string kGroup = "model.layers.0.proj.input";

Plan plan_of(ModalityScales how) {
  QuantizeOptions options;
  options.ignore.clear();
  options.modality_scales = how;
  return make_plan(modules::structure_of(network_with_towers()), options);
}

/// Four positions, the last of them padding: text, a picture, a clip, text.
modules::State four_positions() {
  modules::State state = modules::make_state(torch::zeros({1, 4}, at::kLong));
  state.mask = torch::tensor({1, 1, 1, 0}).to(at::kBool).unsqueeze(0);
  state.kinds = torch::tensor({0, 1, 2, 0}).to(at::kChar).unsqueeze(0);
  return state;
}

const Tensor kValues = torch::tensor({{{1.f, 0.f}, {3.f, -4.f}, {2.5f, 2.7f}, {9.f, 9.f}}});

SaturatedShares shares(const Plan& plan, const modules::NamedTensors& scales) {
  const ActivationScales all(scales);
  Saturation saturation(plan, all);
  saturation.count(kLinear, kValues, four_positions(), Modality::kText);
  return saturation.shares(kGroup);
}

}  // namespace

TEST_CASE("values beyond a scale's range are counted by what their positions stand for",
          "[quant][saturation]") {
  // Codes go from -128 to 127. With a scale of 0.02 that is -2.56 to 2.54, each with half a step
  // more.
  CHECK(
      (shares(plan_of(ModalityScales::kShared), {{kGroup, torch::full({1}, 0.02f)}}) ==
       SaturatedShares{{Modality::kText, 0.0}, {Modality::kImage, 1.0}, {Modality::kAudio, 0.5}}));
}

TEST_CASE("each modality's values are held against its own scale", "[quant][saturation]") {
  CHECK(
      (shares(plan_of(ModalityScales::kSeparate), {{kGroup + ".text", torch::full({1}, 0.001f)},
                                                   {kGroup + ".image", torch::full({1}, 0.03f)},
                                                   {kGroup + ".audio", torch::full({1}, 0.02f)}}) ==
       SaturatedShares{{Modality::kText, 0.5}, {Modality::kImage, 0.5}, {Modality::kAudio, 0.5}}));
}

TEST_CASE("what was never counted has no shares", "[quant][saturation]") {
  const Plan plan = plan_of(ModalityScales::kShared);
  const ActivationScales scales;
  CHECK(Saturation(plan, scales).shares(kGroup).empty());
}

TEST_CASE("counts of parts add up to those of the whole", "[quant][saturation]") {
  const Plan plan = plan_of(ModalityScales::kShared);
  const ActivationScales scales({{kGroup, torch::full({1}, 0.02f)}});
  Saturation whole(plan, scales), first(plan, scales), second(plan, scales);
  for (Saturation* counts : {&whole, &first})
    counts->count(kLinear, kValues, four_positions(), Modality::kText);
  for (Saturation* counts : {&whole, &second})
    counts->count(kLinear, 0.5 * kValues, four_positions(), Modality::kText);
  first.merge(second);
  CHECK((first.shares(kGroup) == whole.shares(kGroup)));
}
