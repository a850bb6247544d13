#include <torch/torch.h>

#include "quant/calibrate/calibration.h"
#include "quant/execute/quantized_executor.h"
#include "quant/plan/planner.h"
#include "tests/quant/hand_made.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using modules::Modality;
using torch::Tensor;

namespace {

const std::string kGroup = "model.layers.0.proj.input";

QuantizeOptions scales(ModalityScales how) {
  QuantizeOptions options;
  options.ignore.clear();
  options.modality_scales = how;
  return options;
}

Plan plan_of(ModalityScales how) {
  return make_plan(modules::structure_of(network_with_towers()), scales(how));
}

/// Tokens 0, 2 and 1 ([1, 0], [3, 4] and [0, 2]) stand for text, a picture and a clip.
modules::State mixed(std::vector<int> kinds = {0, 1, 2}) {
  modules::State state = modules::make_state(torch::tensor({{0, 2, 1}}, at::kLong));
  state.kinds = torch::tensor(kinds).to(at::kChar).unsqueeze(0);
  state.towers[Modality::kImage].input = torch::ones({1, 1, 3});
  state.towers[Modality::kAudio].input = torch::ones({1, 1, 5});
  return state;
}

Calibration calibrated(ModalityScales how, const modules::State& state = mixed()) {
  return calibrate(network_with_towers(), weights_with_towers(), at::kFloat, plan_of(how),
                   std::vector{state}, [] {});
}

/// The decoder's output for the three tokens: [3, 2].
Tensor run(modules::Executor& executor, modules::State state) {
  modules::run(network_with_towers(), executor, state);
  return state.hidden[0];
}

}  // namespace

TEST_CASE("only inputs of the decoder's linears have a scale a modality", "[quant][modality]") {
  const Plan plan = plan_of(ModalityScales::kSeparate), shared = plan_of(ModalityScales::kShared);
  std::vector<std::string> separate;
  for (const TensorGroup& group : plan.groups) {
    if (!group.separate.empty()) separate.push_back(group.name);
  }
  CHECK(plan.groups.size() == 5);
  CHECK(separate ==
        std::vector<std::string>{"model.layers.0.proj.input", "model.layers.1.proj.input"});
  CHECK(plan.fingerprint() != shared.fingerprint());
  CHECK(error_message([] {
          make_plan(modules::structure_of(hand_made_network()), scales(ModalityScales::kSeparate));
        }) == "quantize.modality_scales: expected shared, since the model reads one modality");
}

TEST_CASE("calibration finds each modality's scale", "[quant][modality]") {
  const ActivationScales own = calibrated(ModalityScales::kSeparate).scales();
  CHECK(own.get(kGroup + ".text").item<float>() == 1.0f / 127.0f);
  CHECK(own.get(kGroup + ".image").item<float>() == 4.0f / 127.0f);
  CHECK(own.get(kGroup + ".audio").item<float>() == 2.0f / 127.0f);
  CHECK_FALSE(own.contains(kGroup));
  CHECK(own.get("head.input").item<float>() == 8.0f / 127.0f);  // shared: the second layer doubles
  CHECK(calibrated(ModalityScales::kShared).scales().get(kGroup).item<float>() == 4.0f / 127.0f);
  CHECK(error_message([] {
          calibrated(ModalityScales::kSeparate, mixed({0, 1, 1}));
        }) == kGroup + ": calibration saw no audio");
}

TEST_CASE("scales by modality come back from a calibration's file", "[quant][modality]") {
  const TemporaryDirectory directory;
  const auto path = directory / "calibration.safetensors";
  const Calibration saved = calibrated(ModalityScales::kSeparate);
  save_calibration(path, saved);
  const Calibration loaded = load_calibration(path, plan_of(ModalityScales::kSeparate));
  REQUIRE(loaded.scale_tensors.size() == saved.scale_tensors.size());
  for (const auto& [name, scale] : saved.scale_tensors)
    CHECK(loaded.scale_tensors.at(name).equal(scale));
  CHECK(error_message([&] { load_calibration(path, plan_of(ModalityScales::kShared)); }) ==
        path.string() + ": " + kGroup + ".scale is missing");
}

TEST_CASE("each row is quantized by the scale of what its position stands for",
          "[quant][modality]") {
  const torch::NoGradGuard no_grad;
  const Plan plan = plan_of(ModalityScales::kSeparate);
  modules::NamedTensors coarse = calibrated(ModalityScales::kSeparate).scale_tensors;
  for (auto& [name, scale] : coarse) scale = torch::full({1}, 1.0f);
  coarse[kGroup + ".text"] = torch::full({1}, 0.75f);
  coarse[kGroup + ".image"] = torch::full({1}, 2.0f);
  const ActivationScales own(coarse);
  const Compute compute = GENERATE(Compute::kInteger, Compute::kSimulate);
  QuantizedExecutor executor(weights_with_towers(), at::kFloat, plan, own, compute);
  // [1, 0] / 0.75 -> [1, 0]; [3, 4] / 2 -> [2 (1.5, half to even), 2]; [0, 2] -> [0, 2]. The second
  // layer rounds [0.75, 0] to [1, 0], and doubles.
  const auto near = [](const Tensor& made, const Tensor& expected) {
    return at::allclose(made, expected, 1e-6, 1e-6);
  };
  CHECK(near(run(executor, mixed()), torch::tensor({{2.f, 0.f}, {8.f, 8.f}, {0.f, 4.f}})));
  modules::State text = mixed();
  text.kinds = Tensor();
  // [3, 4] / 0.75 -> [4, 5 (5.33)] * 0.75 = [3, 3.75]; [0, 2] / 0.75 -> [0, 3 (2.67)] * 0.75.
  CHECK(near(run(executor, text), torch::tensor({{2.f, 0.f}, {6.f, 8.f}, {0.f, 4.f}})));
}

TEST_CASE("a modality's scale is trained by its own rows", "[quant][modality]") {
  const Plan plan = plan_of(ModalityScales::kSeparate);
  ActivationScales own = calibrated(ModalityScales::kSeparate).scales();
  own.make_trainable();
  QuantizedExecutor executor(weights_with_towers(), at::kFloat, plan, own);
  run(executor, mixed({0, 0, 2})).sum().backward();
  const modules::NamedTensors parameters = own.parameters();
  const auto gradient = [&](const char* modality) {
    return parameters.at(kGroup + "." + modality + ".log_scale").grad();
  };
  CHECK(gradient("text").abs().item<float>() > 0.0f);  // [3, 4] is out of the text's range
  CHECK(gradient("audio").defined());
  CHECK_FALSE(gradient("image").defined());
}
