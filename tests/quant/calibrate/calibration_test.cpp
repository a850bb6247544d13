#include "quant/calibrate/calibration.h"

#include <torch/utils.h>

#include <fstream>
#include <limits>

#include "data/base/error.h"
#include "data/formats/safetensors.h"
#include "modules/network/sweep.h"
#include "quant/calibrate/observe_executor.h"
#include "quant/plan/planner.h"
#include "tests/quant/hand_made.h"
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

/// A small model, its default plan, and the two windows that the reference was calibrated on.
struct Tied {
  modules::Model model = tiny_llama("tied");
  Plan plan = make_plan(model.structure, QuantizeOptions{});
  Tensor ids = expected_tensors("tiny_llama/tied.safetensors")["ids"];
  std::vector<Tensor> windows = ids.split(1);

  Calibration calibrated() const { return run(windows); }
  Calibration run(const std::vector<Tensor>& chosen) const {
    return calibrate(model.network, model.weights, at::kFloat, plan, chosen, [] {});
  }
};

bool same(const ObservedRange& a, const ObservedRange& b) {
  return a.min == b.min && a.max == b.max && a.count == b.count;
}

Plan hand_made_plan() {
  QuantizeOptions options;
  options.ignore = {"head"};
  return make_plan(modules::structure_of(hand_made_network()), options);
}

Calibration calibrate_by_hand(std::shared_ptr<const modules::WeightStore> weights,
                              const std::vector<Tensor>& windows) {
  return calibrate(hand_made_network(), std::move(weights), at::kFloat, hand_made_plan(), windows,
                   [] {});
}

Calibration calibrate_states(const std::vector<modules::State>& samples) {
  return calibrate(hand_made_network(), hand_made_weights(), at::kFloat, hand_made_plan(), samples,
                   [] {});
}

/// Tokens 0 and 1 around token 2, which stands for a picture. Token 3 is padding.
modules::State described_picture() {
  modules::State state = modules::make_state(torch::tensor({{0, 2, 1, 3}}, at::kLong),
                                             torch::tensor({{true, true, true, false}}));
  state.kinds = torch::tensor({{0, 1, 0, 1}}, at::kChar);
  return state;
}

/// Calibrates on a text of two tokens, and two positions of ones for each of these encoders.
Calibration calibrate_towers(const std::vector<Modality>& towers) {
  const modules::Network network = network_with_towers();
  QuantizeOptions options;
  options.ignore = {"head"};
  const Plan plan = make_plan(modules::structure_of(network), options);
  modules::State state = modules::make_state(torch::tensor({{0, 1}}, at::kLong));
  for (const Modality modality : towers)
    state.towers[modality].input = torch::ones(network.tower_samples.at(modality).input.sizes());
  return calibrate(network, weights_with_towers(), at::kFloat, plan, std::vector{state}, [] {});
}

}  // namespace

TEST_CASE("a stage that is recomputed for backward is not observed again", "[quant][calibration]") {
  const Plan plan = hand_made_plan();
  ObserveExecutor observe(hand_made_weights(), at::kFloat, plan);
  const modules::Network network = hand_made_network();
  modules::State state = modules::make_state(torch::tensor({{0, 1}}, at::kLong));
  const auto count = [&] {
    return observe.observers().at("model.layers.0.proj.input").all().range().count;
  };
  modules::run(network, observe, state);
  CHECK(count() == 2);
  state.recomputed = true;
  modules::run(network, observe, state);
  CHECK(count() == 2);
}

TEST_CASE("calibration finds the ranges that can be read off the weights", "[quant][calibration]") {
  const Calibration calibration = calibrate_by_hand(
      hand_made_weights(), {torch::tensor({{0, 1}}, at::kLong), torch::tensor({{2}}, at::kLong)});
  const ObservedRange& first = calibration.ranges.at("model.layers.0.proj.input");
  CHECK(first.min == 0.0f);
  CHECK(first.max == 4.0f);
  CHECK(first.count == 3);
  CHECK(calibration.ranges.at("model.layers.1.proj.input").max == 4.0f);
  CHECK(calibration.scales().get("model.layers.0.proj.input").item<float>() == 4.0f / 127.0f);
}

TEST_CASE("calibration on the reference's windows finds the reference's scales",
          "[quant][calibration]") {
  const std::string variant = GENERATE("tied", "outliers", "untied_sharded");
  INFO(variant);
  const modules::Model model = tiny_llama(variant);
  const Plan plan = make_plan(model.structure, QuantizeOptions{});
  const std::vector<Tensor> windows =
      expected_tensors("int8_export/" + variant + ".safetensors")["ids"].split(1);
  const Calibration calibration =
      calibrate(model.network, model.weights, at::kFloat, plan, windows, [] {});
  const auto exported = expected_tensors("int8_export/" + variant + "/model.safetensors");
  for (const PlannedLinear& linear : plan.linears) {
    INFO(linear.ref.name);
    CHECK(at::allclose(calibration.scales().get(linear.group),
                       exported.at(linear.ref.name + ".input_scale"), /*rtol=*/2e-6, 0.0));
  }
}

TEST_CASE("every site counts every token, and progress is told of each stage of each window",
          "[quant][calibration]") {
  const Tied tied;
  std::size_t told = 0;
  const Calibration calibration = calibrate(tied.model.network, tied.model.weights, at::kBFloat16,
                                            tied.plan, tied.windows, [&] { ++told; });
  CHECK(calibration.ranges.size() == tied.plan.groups.size());
  for (const auto& [site, range] : calibration.ranges) CHECK(range.count == 128);
  CHECK(told == 2 * tied.model.network.stages.size());
}

TEST_CASE("a calibration stage by stage sees what one window after the other shows",
          "[quant][calibration]") {
  const torch::NoGradGuard no_grad;
  QuantizeOptions options;
  options.config_groups.front().input_activations->observer = ObserverKind::kMovingAverage;
  Tied tied;
  tied.plan = make_plan(tied.model.structure, options);
  std::vector<Tensor> windows;  // more than are swept together
  for (std::size_t i = 0; i < modules::kSwept + 6; ++i)
    windows.push_back(
        (tied.ids.narrow(1, 0, 8)[0] + static_cast<std::int64_t>(i)).remainder(512).unsqueeze(0));
  ObserveExecutor executor(tied.model.weights, at::kFloat, tied.plan);
  for (const Tensor& window : windows) {
    modules::State state = modules::make_state(window);
    modules::run(tied.model.network, executor, state);
  }
  const Calibration calibration = tied.run(windows);
  REQUIRE(calibration.ranges.size() == executor.observers().size());
  for (const auto& [site, observer] : executor.observers()) {
    INFO(site);
    CHECK(same(calibration.ranges.at(site), observer.all().range()));
  }
}

TEST_CASE("padding never counts: a batch shows the observers what the windows alone do",
          "[quant][calibration]") {
  const torch::NoGradGuard no_grad;
  const Tied tied;
  const Tensor cut = tied.ids[1].narrow(0, 0, 40).unsqueeze(0);
  const Calibration alone = tied.run({tied.windows[0], cut});

  Tensor ids = tied.ids.clone(), mask = torch::ones_like(ids, at::kBool);
  ids[1].narrow(0, 40, 24).fill_(511);  // garbage
  mask[1].narrow(0, 40, 24).zero_();
  ObserveExecutor executor(tied.model.weights, at::kFloat, tied.plan);
  modules::State state = modules::make_state(ids, mask);
  modules::run(tied.model.network, executor, state);
  for (const auto& [site, observer] : executor.observers()) {
    INFO(site);
    const ObservedRange& expected = alone.ranges.at(site);
    CHECK(observer.all().range().count == 104);
    CHECK(observer.all().range().min == Approx(expected.min).epsilon(1e-5));
    CHECK(observer.all().range().max == Approx(expected.max).epsilon(1e-5));
  }
}

TEST_CASE("executors that observed parts of the windows are merged into one that saw all",
          "[quant][calibration]") {
  QuantizeOptions options;
  options.config_groups.front().input_activations->observer = ObserverKind::kMovingAverage;
  options.smoothing.emplace();
  const Tied tied;
  const Plan plan = make_plan(tied.model.structure, options);
  const auto observed = [&](const std::vector<Tensor>& windows) {
    auto executor = std::make_unique<ObserveExecutor>(tied.model.weights, at::kFloat, plan);
    for (const Tensor& window : windows) {
      modules::State state = modules::make_state(window);
      modules::run(tied.model.network, *executor, state);
    }
    return executor;
  };
  const torch::NoGradGuard no_grad;
  const auto whole = observed(tied.windows), merged = observed({});
  merged->replace({observed({tied.windows[0]})->seen(), observed({tied.windows[1]})->seen()});
  for (const auto& [group, observer] : whole->observers())
    CHECK(same(merged->observers().at(group).all().range(), observer.all().range()));
  for (const auto& [group, range] : whole->channel_ranges())
    CHECK(merged->channel_ranges().at(group).equal(range));
}

TEST_CASE("rows of the decoder are told apart by what their positions stand for",
          "[quant][calibration]") {
  const Calibration calibration = calibrate_states({described_picture()});
  const ModalityRanges& ranges = calibration.modality_ranges.at("model.layers.1.proj.input");
  REQUIRE(ranges.size() == 2);
  CHECK(same(ranges.at(Modality::kText), {0.0f, 2.0f, 2}));
  CHECK(same(ranges.at(Modality::kImage), {3.0f, 4.0f, 1}));
  CHECK(same(calibration.ranges.at("model.layers.1.proj.input"), {0.0f, 4.0f, 3}));
  CHECK(calibration.scales().get("model.layers.1.proj.input").item<float>() == 4.0f / 127.0f);
}

TEST_CASE("rows of an encoder are of its modality", "[quant][calibration]") {
  const Calibration calibration = calibrate_towers({Modality::kImage, Modality::kAudio});
  const auto only = [&](const std::string& group) {
    const ModalityRanges& ranges = calibration.modality_ranges.at(group);
    REQUIRE(ranges.size() == 1);
    return *ranges.begin();
  };
  const auto [image, pixels] = only("visual.0.proj.input");
  CHECK(image == Modality::kImage);
  CHECK(same(pixels, {1.0f, 1.0f, 2}));
  CHECK(only("audio.0.proj.input").first == Modality::kAudio);
  CHECK(only("model.layers.0.proj.input").first == Modality::kText);
}

TEST_CASE("a modality that the plan needs and the data lacks is an error that names it",
          "[quant][calibration]") {
  CHECK(error_message([] { calibrate_towers({}); }) ==
        "visual.0.proj.input: calibration saw no image");
  CHECK(error_message([] { calibrate_towers({Modality::kImage}); }) ==
        "audio.0.proj.input: calibration saw no audio");
  modules::State pictures = described_picture();
  pictures.kinds.fill_(static_cast<int>(Modality::kImage));
  CHECK(error_message([&] { calibrate_states({pictures}); }) ==
        "model.layers.0.proj.input: calibration saw no text");
}

TEST_CASE("a site that saw nothing is an error that names it", "[quant][calibration]") {
  const Tied tied;
  CHECK_THAT(error_message([&] { tied.run({}); }),
             Catch::EndsWith(".input: calibration saw no text"));
}

TEST_CASE("dynamic sites are not observed; without a static one there is nothing to calibrate",
          "[quant][calibration]") {
  const TemporaryDirectory directory;
  Tied tied;
  tied.plan = make_plan(tied.model.structure, mlp_by_token());
  const Calibration mixed = tied.calibrated();
  CHECK(mixed.ranges.size() == 3 * 2);  // a layer's q, k, v and o
  CHECK_FALSE(mixed.scales().contains("model.layers.0.mlp.down_proj.input"));
  CHECK(mixed.scales().contains("model.layers.0.self_attn.o_proj.input"));
  save_calibration(directory / "mixed.safetensors", mixed);
  CHECK(load_calibration(directory / "mixed.safetensors", tied.plan).ranges.size() == 3 * 2);

  tied.plan = make_plan(tied.model.structure, token_inputs());
  Calibration none = tied.run({});
  none.source = {"plan and text", "model", "tokenizer"};
  CHECK(none.ranges.empty());
  save_calibration(directory / "none.safetensors", none);
  const Calibration loaded = load_calibration(directory / "none.safetensors", tied.plan);
  CHECK(loaded.scale_tensors.empty());
  CHECK(loaded.source == none.source);
}

TEST_CASE("a value that is not finite is an error that names the site", "[quant][calibration]") {
  const auto weights = std::make_shared<modules::WeightOverlay>(hand_made_weights());
  weights->set("model.layers.0.proj.weight",
               torch::full({2, 2}, std::numeric_limits<float>::infinity()));
  const auto run = [&] { calibrate_by_hand(weights, {torch::tensor({{2}}, at::kLong)}); };
  CHECK(error_message(run) ==
        "model.layers.1.proj.input: 2 of 2 values are not finite in float32 (model.dtype)");
}

TEST_CASE("a calibration comes back from its file as it was", "[quant][calibration]") {
  const TemporaryDirectory directory;
  const Tied tied;
  Calibration saved = tied.calibrated();
  saved.source = {"plan and text", "model", "tokenizer"};
  save_calibration(directory / "calibration.safetensors", saved);
  const Calibration loaded = load_calibration(directory / "calibration.safetensors", tied.plan);
  CHECK(loaded.source == saved.source);
  REQUIRE(loaded.ranges.size() == saved.ranges.size());
  for (const auto& [site, range] : saved.ranges) CHECK(same(loaded.ranges.at(site), range));
}

TEST_CASE("ranges by modality come back from a calibration's file", "[quant][calibration]") {
  const TemporaryDirectory directory;
  const auto path = directory / "calibration.safetensors";
  const Calibration saved = calibrate_states({described_picture()});
  save_calibration(path, saved);
  const Calibration loaded = load_calibration(path, hand_made_plan());
  REQUIRE(loaded.modality_ranges.size() == 2);
  for (const auto& [group, ranges] : saved.modality_ranges) {
    REQUIRE(loaded.modality_ranges.at(group).size() == 2);
    for (const auto& [modality, range] : ranges)
      CHECK(same(loaded.modality_ranges.at(group).at(modality), range));
  }
}

TEST_CASE("a file of text alone says nothing of modalities, as before there were others",
          "[quant][calibration]") {
  const TemporaryDirectory directory;
  const auto path = directory / "calibration.safetensors";
  save_calibration(path, calibrate_by_hand(hand_made_weights(), {torch::tensor({{2}}, at::kLong)}));
  const data::SafetensorsReader reader(path);
  CHECK(reader.names().size() == 2 * 4);
  const Calibration loaded = load_calibration(path, hand_made_plan());
  const ModalityRanges& ranges = loaded.modality_ranges.at("model.layers.0.proj.input");
  REQUIRE(ranges.size() == 1);
  CHECK(same(ranges.at(Modality::kText), {3.0f, 4.0f, 1}));
}

TEST_CASE("a calibration that lacks a site of the plan is an error that names it",
          "[quant][calibration]") {
  const TemporaryDirectory directory;
  const auto path = directory / "calibration.safetensors";
  save_calibration(path, calibrate_by_hand(hand_made_weights(), {torch::tensor({{2}}, at::kLong)}));
  CHECK(error_message([&] { load_calibration(path, Tied().plan); }) ==
        path.string() + ": model.layers.0.self_attn.q_proj.input.scale is missing");
}

TEST_CASE("a calibration with a damaged byte is an error that names the file",
          "[quant][calibration]") {
  const TemporaryDirectory directory;
  const auto path = directory / "calibration.safetensors";
  save_calibration(path, calibrate_by_hand(hand_made_weights(), {torch::tensor({{2}}, at::kLong)}));
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-1, std::ios::end);
  file.put('\x7f');
  file.close();
  CHECK_THAT(error_message([&] { load_calibration(path, hand_made_plan()); }),
             Catch::StartsWith(path.string() + ": the data is damaged"));
}
