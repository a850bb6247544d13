#include "modules/correction/corrections.h"

#include <torch/utils.h>

#include "data/base/error.h"
#include "data/formats/safetensors.h"
#include "modules/execute/float_executor.h"
#include "quant/plan/plan.h"
#include "quant/plan/planner.h"
#include "tests/quant/hand_made.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

modules::CorrectionOptions raw_scalar() {
  return {.reduction = 1,
          .input = modules::CorrectionInput::kRaw,
          .beta = modules::CorrectionBeta::kScalar,
          .ignore = {}};
}

modules::Corrections made(const modules::CorrectionOptions& options = raw_scalar()) {
  return {kStages, options, /*seed=*/3};
}

void fill(const modules::Corrections& corrections, const std::string& name, float value) {
  const torch::NoGradGuard no_grad;
  corrections.parameters().at(name).fill_(value);
}

modules::NamedTensors copied(const modules::NamedTensors& tensors) {
  modules::NamedTensors copies;
  for (const auto& [name, tensor] : tensors) copies[name] = tensor.detach().clone();
  return copies;
}

}  // namespace

TEST_CASE("a correction is applied at the end of its own stage and nowhere else",
          "[quant][corrections]") {
  const torch::NoGradGuard no_grad;
  const modules::Corrections corrections = made();
  fill(corrections, "model.layers.0.beta", 5.0f);
  const modules::Network network = hand_made_network();
  modules::FloatExecutor plain(hand_made_weights(), at::kFloat);
  modules::Corrected corrected(plain, corrections);
  modules::State state = modules::make_state(torch::tensor({{2}}, at::kLong));
  const auto after = [&](std::size_t stage) {
    modules::run(network.stages[stage], corrected, state);
    return state.hidden.flatten();
  };
  CHECK(after(0).equal(torch::tensor({3.f, 4.f})));    // the table carries none
  CHECK(after(1).equal(torch::tensor({8.f, 9.f})));    // plus 5
  CHECK(after(2).equal(torch::tensor({16.f, 18.f})));  // doubled; the new one is the identity
}

TEST_CASE("a corrected executor computes all else as the one below", "[quant][corrections]") {
  const torch::NoGradGuard no_grad;
  const modules::Model model = tiny_llama("untied_sharded");
  const modules::Corrections corrections(model.structure.stages, {}, /*seed=*/1);
  const Tensor ids = expected_tensors("tiny_llama/untied_sharded.safetensors")["ids"];
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16);
  modules::FloatExecutor plain(model.weights, dtype);
  modules::Corrected corrected(plain, corrections);
  CHECK(logits_of(model.network, corrected, ids).equal(logits_of(model.network, plain, ids)));
}

TEST_CASE("encoders and decoder are corrected in widths of their own", "[quant][corrections]") {
  const torch::NoGradGuard no_grad;
  const modules::Network network = network_with_towers();
  QuantizeOptions options;
  options.ignore = {"head"};
  const Plan plan = make_plan(modules::structure_of(network), options);
  CHECK(widths_of(plan.stages) == std::vector<std::string>{"visual.0: 3", "audio.0: 5",
                                                           "model.layers.0: 2",
                                                           "model.layers.1: 2"});
  const modules::Corrections corrections(plan.stages, raw_scalar(), /*seed=*/3);
  // Each has down and up of width x width + width, alpha, one beta.
  CHECK(corrections.parameter_count() == (2 * 12 + 2) + (2 * 30 + 2) + 2 * (2 * 6 + 2));
  fill(corrections, "visual.0.beta", 5.0f);
  fill(corrections, "audio.0.beta", 7.0f);
  modules::FloatExecutor plain(weights_with_towers(), at::kFloat);
  modules::Corrected corrected(plain, corrections);
  modules::State state = modules::make_state(torch::tensor({{2}}, at::kLong));
  state.towers[modules::Modality::kImage].input = torch::ones({1, 4, 3});
  state.towers[modules::Modality::kAudio].input = torch::ones({1, 1, 5});
  modules::run(network, corrected, state);
  CHECK(state.stream(modules::Modality::kImage).hidden.equal(torch::full({1, 4, 3}, 6.0f)));
  CHECK(state.stream(modules::Modality::kAudio).hidden.equal(torch::full({1, 1, 5}, 8.0f)));
  CHECK(state.hidden.flatten().equal(torch::tensor({6.f, 8.f})));
}

TEST_CASE("stages that ignore names carry no correction", "[quant][corrections]") {
  modules::CorrectionOptions options = raw_scalar();
  options.ignore = {"re:model[.]layers[.]0"};
  CHECK(made(options).stages() == std::vector<std::string>{"model.layers.1"});
}

TEST_CASE("an ignore that names no stage is an error with the nearest", "[quant][corrections]") {
  modules::CorrectionOptions options = raw_scalar();
  options.ignore = {"model.layer.1"};
  CHECK(error_message([&] { made(options); }) ==
        "correction.ignore[0]: \"model.layer.1\" matches no stage with a quantized linear; "
        "nearest: model.layers.1");
}

TEST_CASE("each stage starts from values of its own, whatever the others", "[quant][corrections]") {
  modules::CorrectionOptions options = raw_scalar();
  const modules::NamedTensors all = made(options).parameters();
  CHECK_FALSE(all.at("model.layers.0.down.weight").equal(all.at("model.layers.1.down.weight")));
  options.ignore = {"model.layers.0"};
  CHECK(made(options)
            .parameters()
            .at("model.layers.1.down.weight")
            .equal(all.at("model.layers.1.down.weight")));
}

TEST_CASE("parameters and bytes are counted", "[quant][corrections]") {
  // Each of two stages has down and up of 2 x 2 + 2, alpha, one beta.
  CHECK(made().parameter_count() == 2 * (6 + 6 + 1 + 1));
  CHECK(made().bytes() == 4 * 28);
}

TEST_CASE("corrections come back from a file as they were", "[quant][corrections]") {
  const TemporaryDirectory directory;
  const auto path = directory / "correction.safetensors";
  modules::Corrections saved = made();
  fill(saved, "model.layers.1.up.weight", 0.75f);
  saved.drop("model.layers.0");
  modules::write_tensors(path, saved.parameters());

  modules::Corrections loaded({{"model.layers.1", 2}}, raw_scalar(), /*seed=*/99);
  loaded.load(modules::read_tensors(data::SafetensorsReader(path)), path.string());
  CHECK(loaded.stages() == std::vector<std::string>{"model.layers.1"});
  CHECK(loaded.parameter_count() == saved.parameter_count());
  for (const auto& [name, value] : saved.parameters()) {
    CHECK(loaded.parameters().at(name).equal(value));
  }
}

TEST_CASE("corrections that lack a tensor or have another shape are refused by name",
          "[quant][corrections]") {
  modules::NamedTensors values = copied(made().parameters());
  const auto load = [&] {
    return error_message([&] {
      modules::Corrections corrections = made();
      corrections.load(values, "some.safetensors");
    });
  };
  values["model.layers.0.beta"] = torch::zeros(2);
  CHECK(load() == "some.safetensors: model.layers.0.beta: wrong shape");
  values.erase("model.layers.0.beta");
  CHECK(load() == "some.safetensors: model.layers.0.beta is missing");
}
