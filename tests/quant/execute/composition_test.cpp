#include <torch/torch.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "modules/execute/float_executor.h"
#include "quant/calibrate/calibration.h"
#include "quant/execute/quantized_executor.h"
#include "quant/export/export.h"
#include "quant/plan/planner.h"
#include "quant/stored/layout.h"
#include "quant/transform/transform.h"
#include "tests/quant/tower.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/model.h"
#include "tests/support/temporary_directory.h"

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
    return calibrate(model.network, model.weights, at::kFloat, plan, std::vector{state}, [] {});
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

TEST_CASE("calibration on text alone shows the decoder no sample with files",
          "[quant][composition]") {
  const Composition composition;
  const Plan plan = composition.plan();
  const modules::State text = modules::make_state(torch::tensor({{5L, 7L, 9L}}));
  const auto calibrated = [&](const std::vector<modules::State>& states) {
    const auto state = [&](std::size_t i) { return states[i]; };
    return calibrate(composition.model.network, composition.model.weights, at::kFloat, plan,
                     CalibrationSamples{states.size(), state, /*text_only=*/true}, [] {});
  };
  const Calibration both = calibrated({composition.state, text});
  const std::string read = "language_model.layers.0.mlp.down_proj.input",
                    aligned = "vision_alignment.fc1.input";
  CHECK(both.ranges.at(read).count == 3);
  CHECK(both.ranges.at(aligned).count == 2 * 4);
  CHECK(
      composition.calibrated(plan).scale_tensors.at(aligned).equal(both.scale_tensors.at(aligned)));
  CHECK_FALSE(
      composition.calibrated(plan).scale_tensors.at(read).equal(both.scale_tensors.at(read)));
  CHECK(error_message([&] {
          calibrated({composition.state});
        }).ends_with(": calibration saw no text"));
}

TEST_CASE("smoothing leaves a composition's logits as they are in float, alignments too",
          "[quant][composition]") {
  const torch::NoGradGuard no_grad;
  const Composition composition;
  QuantizeOptions options;
  options.ignore = {"re:.*lm_head"};
  options.smoothing = SmoothingOptions{.strength = 0.6, .search = GENERATE(false, true)};
  const Plan plan = make_plan(composition.model.structure, options);
  const auto folds_in = [&](const std::string& part) {
    return std::ranges::count_if(
        plan.folds, [&](const PlannedFold& fold) { return fold.group.starts_with(part); });
  };
  CHECK(folds_in("vision_alignment") >= 1);
  CHECK(folds_in("audio_alignment") >= 1);
  CHECK(folds_in("audio_tower.layers.0.") == 5);
  const Calibration calibration = composition.calibrated(plan);
  modules::FloatExecutor exact(composition.model.weights, at::kFloat),
      smooth(transformed(composition.model.weights, plan, calibration.transforms), at::kFloat);
  const Tensor plain = composition.logits(exact);
  CHECK(relative_error(plain, composition.logits(smooth)) < 1e-8);
}

TEST_CASE("inputs of 4 bits give a composition the same bits in integers and simulated",
          "[quant][composition]") {
  const torch::NoGradGuard no_grad;
  const Composition composition;
  QuantizeOptions options;
  options.ignore = {"re:.*lm_head"};
  options.config_groups.front().weights.num_bits = 4;
  options.config_groups.front().input_activations = GENERATE(kInputInt8, kTokenInt8);
  options.config_groups.front().input_activations->num_bits = 4;
  const Plan plan = make_plan(composition.model.structure, options);
  const Calibration calibration = composition.calibrated(plan);
  for (const auto& [group, scale] : calibration.scale_tensors) {
    const ObservedRange& range = calibration.ranges.at(group);
    CHECK(scale.item<float>() == activation_scale(range, 4));
  }
  const ActivationScales scales = calibration.scales();
  const auto quantized = [&](Compute compute) {
    QuantizedExecutor executor(composition.model.weights, at::kFloat, plan, scales, compute);
    return composition.logits(executor);
  };
  CHECK(quantized(Compute::kInteger).equal(quantized(Compute::kSimulate)));
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

TEST_CASE("an export with quantized convolutions has the run's logits to the bit",
          "[quant][composition][export]") {
  const torch::NoGradGuard no_grad;
  const Composition composition;
  QuantizeOptions options;
  options.ignore = {"re:.*lm_head"};
  for (const modules::ConvUse& use : composition.model.structure.convs)
    options.config_groups.front().targets.push_back(use.ref.name);
  const Plan plan = make_plan(composition.model.structure, options);
  REQUIRE_FALSE(plan.convs.empty());
  const ActivationScales scales = composition.calibrated(plan).scales();
  const auto codes = std::make_shared<CodeStore>(composition.model.weights);
  QuantizedExecutor executor(composition.model.weights, at::kFloat, plan, scales, Compute::kInteger,
                             InputGradients::kFloat, codes);
  const TemporaryDirectory directory;
  export_model(directory / "export",
               {.model = composition.model,
                .codes = *codes,
                .dtype = at::kFloat,
                .plan = plan,
                .options = options,
                .scales = scales,
                .corrections = modules::Corrections(plan.stages, {}, /*seed=*/0),
                .correction_options = {},
                .provenance = nlohmann::json::object()},
               [](std::int64_t) {});
  const modules::Model opened = modules::open_model(directory / "export");
  const ExportedModel exported = open_export(opened);
  CHECK(exported.plan.fingerprint() == plan.fingerprint());
  QuantizedExecutor again(opened.weights, at::kFloat, exported.plan, exported.scales);
  CHECK(composition.logits(again).equal(composition.logits(executor)));

  const data::SafetensorsReader file(directory / "export/model.safetensors");
  const std::vector<PlannedBytes> planned =
      planned_bytes(plan, *composition.model.weights, at::kFloat);
  CHECK(file.names().size() == planned.size());
  for (const PlannedBytes& tensor : planned) CHECK(file.tensor(tensor.name).shape == tensor.shape);
  const modules::ConvRef& ref = plan.convs.front().ref;
  CHECK(data::name_of(file.tensor(ref.weight_name()).dtype) == "I8");
  std::vector<std::int64_t> scale_shape(ref.weight_shape().size(), 1);
  scale_shape.front() = ref.out_channels;
  CHECK(file.tensor(ref.name + ".weight_scale").shape == scale_shape);
}
