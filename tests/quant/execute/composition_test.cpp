#include <torch/torch.h>

#include <algorithm>

#include "modules/execute/float_executor.h"
#include "quant/calibrate/calibration.h"
#include "quant/execute/quantized_executor.h"
#include "quant/plan/planner.h"
#include "tests/quant/tower.h"
#include "tests/support/catch.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using modules::Modality;
using torch::Tensor;

namespace {

/// A small composition of a ViT, a Conformer and a Llama, and two texts with pictures and clips.
struct Composition {
  modules::Model model = modules::open_model(kReference / "composition/model");
  modules::State state;

  Composition() {
    modules::NamedTensors expected = expected_tensors("composition/model.safetensors");
    state = modules::make_state(expected["ids"], expected["mask"].to(at::kBool));
    state.towers[Modality::kImage].input = expected["pixels"];
    state.towers[Modality::kAudio].input = expected["features"];
    state.towers[Modality::kAudio].mask = expected["features_mask"].to(at::kBool);
  }

  Plan plan(ModalityScales scales = ModalityScales::kShared) const {
    QuantizeOptions options;
    options.ignore = {"re:.*lm_head"};
    options.modality_scales = scales;
    return make_plan(model.structure, options);
  }
  Calibration calibrated(const Plan& plan) const {
    return calibrate(model.network, model.weights, at::kFloat, plan, std::vector{state},
                     [](std::int64_t) {});
  }
  /// Logits of real tokens.
  Tensor logits(modules::Executor& executor) const {
    modules::State run_state = state;
    modules::run(model.network, executor, run_state);
    return model.network.head.logits(executor, run_state.hidden).index({state.mask});
  }
};

}  // namespace

TEST_CASE("stages of a composition are as wide as their parts", "[quant][composition]") {
  const Plan plan = Composition().plan();
  const std::vector<std::string> widths = widths_of(plan.stages);
  CHECK(widths.front() == "vision_tower.encoder.layer.0: 48");
  CHECK(widths.back() == "language_model.layers.2: 64");
  CHECK(std::ranges::count(widths, "vision_alignment: 64") == 1);
  CHECK(std::ranges::count(widths, "audio_tower.layers.0: 48") == 1);
  CHECK(std::ranges::count(widths, "audio_alignment: 64") == 1);
}

TEST_CASE("calibration counts what a composition's positions stand for", "[quant][composition]") {
  const Composition composition;
  const Calibration calibration = composition.calibrated(composition.plan());
  const ModalityRanges& ranges =
      calibration.modality_ranges.at("language_model.layers.0.mlp.down_proj.input");
  REQUIRE(ranges.size() == 3);
  CHECK(ranges.at(Modality::kImage).count == 2 * 4);
  CHECK(ranges.at(Modality::kAudio).count == 2 * 3);
  CHECK(ranges.at(Modality::kText).count == composition.state.mask.sum().item<int>() - 8 - 6);
  const ModalityRanges& aligned = calibration.modality_ranges.at("vision_alignment.fc1.input");
  REQUIRE(aligned.size() == 1);
  CHECK(aligned.at(Modality::kImage).count == 2 * 4);
}

TEST_CASE("a composition gives the same bits in integers and simulated", "[quant][composition]") {
  const torch::NoGradGuard no_grad;
  const Composition composition;
  const Plan plan = composition.plan(GENERATE(ModalityScales::kShared, ModalityScales::kSeparate));
  const ActivationScales scales = composition.calibrated(plan).scales();
  const auto quantized = [&](Compute compute) {
    QuantizedExecutor executor(composition.model.weights, at::kFloat, plan, scales, compute);
    return composition.logits(executor);
  };
  modules::FloatExecutor exact(composition.model.weights, at::kFloat);
  const Tensor made = quantized(Compute::kInteger);
  CHECK(made.equal(quantized(Compute::kSimulate)));
  const double error = relative_error(composition.logits(exact), made);
  INFO(error);
  CHECK(error > 0.0);
  CHECK(error < 1e-2);
}
