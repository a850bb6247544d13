#include <torch/torch.h>

#include <filesystem>

#include "modules/network/batch_state.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"
#include "tests/trainer/tiny_experiment.h"
#include "trainer/experiment/calibrated_samples.h"
#include "trainer/experiment/part_rows.h"
#include "trainer/experiment/rows.h"
#include "trainer/predict/saved_bytes.h"
#include "trainer/train/objective.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;
using modules::Modality;

namespace {

constexpr const char* kNothing = "(no Error was thrown)";

/// Eight texts, six of which have pictures, clips or both, and a model of a ViT, a Conformer and a
/// Llama that reads them.
struct Composed {
  explicit Composed(const std::function<void(Recipe&)>& change = [](Recipe&) {})
      : experiment(tiny_experiment([&](Recipe& recipe) {
          recipe.model.path = kReference / "composition/model";
          recipe.data.train = kReference / "composition/samples.jsonl";
          recipe.data.split = {0.5, 0.25, 0.25};
          recipe.data.window = 512;
          recipe.quantize.ignore = {"re:.*lm_head"};
          recipe.quantize.calibration.num_samples = 4;
          change(recipe);
        })),
        texts(load_texts(experiment.recipe.data, experiment.model)) {}

  TrainedPaths paths() const {
    std::vector<modules::State> states;
    for (const data::Batch& batch : spread_samples(*texts.train, 4))
      states.push_back(modules::make_state(batch, at::kCPU));
    TrainedPaths paths;
    paths.calibration = quant::calibrate(experiment.model.network, experiment.model.weights,
                                         at::kFloat, experiment.plan, states, [] {});
    paths.control = std::make_unique<ControlPath>(experiment);
    paths.quantized =
        std::make_unique<QuantizedPath>(experiment, paths.calibration, paths.control->executor);
    return paths;
  }
  std::string refused() const {
    return error_message(
        [&] { require_modalities(experiment, calibrated_samples(experiment, texts)); });
  }

  Experiment experiment;
  Texts texts;
};

/// A file of texts without pictures and clips.
void write_texts(const std::filesystem::path& path) {
  std::string lines;
  for (int i = 0; i < 8; ++i)
    lines += R"({"text": "Preface I'm pleased to have this opportunity to welcome you to Debian"})"
             "\n";
  write_plain(path, lines);
}

at::Tensor logits_of(const Composed& composed, modules::Executor& executor,
                     const data::Batch& batch) {
  const torch::NoGradGuard no_grad;
  modules::State state = modules::make_state(batch, at::kCPU);
  modules::run(composed.experiment.model.network, executor, state);
  return composed.experiment.model.network.head.logits(executor, state.hidden.flatten(0, 1));
}

}  // namespace

TEST_CASE("calibration counts its samples by what they show", "[trainer][calibration]") {
  const Composed composed;
  const CalibratedSamples samples = calibrated_samples(composed.experiment, composed.texts);
  CHECK(samples.numbers == std::vector<std::size_t>{0, 1, 2, 3});
  REQUIRE(samples.counts.size() == 3);
  CHECK(samples.counts.at(Modality::kText) == 1);
  CHECK(samples.counts.at(Modality::kImage) == 2);
  CHECK(samples.counts.at(Modality::kAudio) == 2);
  CHECK(composed.refused() == kNothing);
}

TEST_CASE("calibrating a model with towers on text alone is refused unless it is asked for",
          "[trainer][calibration]") {
  const TemporaryDirectory files;
  write_texts(files / "texts.jsonl");
  const bool with_towers = GENERATE(false, true);
  const auto change = [&](Recipe& recipe) {
    recipe.data.train = files / "texts.jsonl";
    recipe.data.window = 16;
    if (!with_towers) recipe.quantize.config_groups.front().targets = {"re:language_model.*"};
  };
  CHECK_THAT(Composed(change).refused(),
             Catch::StartsWith("quantize.calibration.text_only: the model reads image, and none "
                               "of the 4 samples that calibrate holds image: expected some in "
                               "data.train, or true to calibrate without"));
  CHECK(Composed([&](Recipe& recipe) {
          change(recipe);
          recipe.quantize.calibration.text_only = true;
        }).refused() == kNothing);
  CHECK(Composed([&](Recipe& recipe) {  // nothing is calibrated
          change(recipe);
          recipe.quantize.config_groups.front().input_activations = quant::kTokenInt8;
        })
            .refused() == kNothing);
}

TEST_CASE("calibrating on text alone needs a sample of text alone", "[trainer][calibration]") {
  const Composed composed(
      [](Recipe& recipe) { recipe.quantize.calibration = {.num_samples = 4, .text_only = true}; });
  CHECK(composed.refused() == kNothing);
  CalibratedSamples without = calibrated_samples(composed.experiment, composed.texts);
  without.counts.erase(Modality::kText);
  CHECK(error_message([&] { require_modalities(composed.experiment, without); }) ==
        "quantize.calibration.text_only: expected samples of text alone among the 4 that "
        "calibrate, got none: blend a text into data.train");
}

TEST_CASE("an evaluation by part has a row for each part, quantized alone", "[trainer][rows]") {
  const bool smooths = GENERATE(false, true);
  const Composed composed([&](Recipe& recipe) {
    if (smooths) recipe.quantize.smoothing.emplace();
  });
  const TrainedPaths paths = composed.paths();
  const PartRows parts(composed.experiment, paths);
  std::vector<std::string> names;
  for (const Row& row : parts.rows()) names.push_back(row.name);
  CHECK(names == std::vector<std::string>{"fp", "vision_tower", "vision_alignment", "audio_tower",
                                          "audio_alignment", "language_model"});
  const data::Batch both = batch_of(*composed.texts.train, {3}),
                    text = batch_of(*composed.texts.train, {0});
  const at::Tensor exact = logits_of(composed, *parts.rows()[0].executor, both),
                   exact_text = logits_of(composed, *parts.rows()[0].executor, text);
  for (std::size_t i = 1; i < parts.rows().size(); ++i) {
    const Row& row = parts.rows()[i];
    INFO(row.name);
    CHECK_FALSE(logits_of(composed, *row.executor, both).equal(exact));
    const bool is_tower = row.name != "language_model";
    CHECK(logits_of(composed, *row.executor, text).equal(exact_text) == is_tower);
  }
  // Each part saves bytes of its own.
  const RunRows whole(composed.experiment, paths);
  const std::int64_t fp = parts.rows()[0].bytes;
  std::int64_t saved = 0;
  for (const Row& row : parts.rows()) saved += fp - row.bytes;
  CHECK(saved == fp - whole.rows()[1].bytes);
}

TEST_CASE("a sample's targets have the weight of what it shows", "[trainer][objective]") {
  const Composed composed;
  const data::Batch batch = batch_of(*composed.texts.train, {0, 1, 2, 3});
  modules::FloatExecutor executor = reference_of(composed.experiment);
  modules::State state = modules::make_state(batch, at::kCPU);
  modules::run(composed.experiment.model.network, executor, state);
  CHECK_FALSE(target_weights(state, batch, {}).defined());
  const at::Tensor weights = target_weights(state, batch, {.text = 0.5, .image = 2, .audio = 3});
  std::vector<float> expected;
  const float of_sample[] = {0.5f, 2.0f, 3.0f, 3.0f};  // the last one shows both
  for (std::size_t i = 0; i < 4; ++i) {
    const data::Batch alone = batch_of(*composed.texts.train, {i});
    expected.insert(expected.end(), static_cast<std::size_t>(alone.counted()), of_sample[i]);
  }
  CHECK(weights.equal(torch::tensor(expected)));
}

TEST_CASE("weights of modalities and towers weigh the loss and its gradient",
          "[trainer][objective]") {
  const Composed composed;
  const TrainedPaths paths = composed.paths();
  fill(paths.quantized->trainables.corrections.parameters());
  const auto run = [&](const data::Batch& batch, const LossOptions& loss) {
    PairedObjective objective(composed.experiment.model.network, paths.control->executor,
                              paths.quantized->corrected, loss);
    const StepLosses losses =
        objective.accumulate(batch, {batch.counted(), batch.mask.sum().item<std::int64_t>()});
    std::map<std::string, at::Tensor> gradients;
    for (auto [name, tensor] : paths.quantized->trainables.corrections.parameters()) {
      if (tensor.grad().defined()) gradients[name] = tensor.grad().clone();
      tensor.mutable_grad() = at::Tensor();
    }
    return std::pair{losses, gradients};
  };
  const data::Batch batch = batch_of(*composed.texts.train, {3});  // a picture and a clip
  const std::string last = "language_model.layers.2.beta", tower = "vision_alignment.beta";

  const LossOptions head{.kl = 1.0, .ce = 0.3, .hidden = 0.0};
  LossOptions thrice = head;
  thrice.modality.audio = 3.0;
  const auto [plain, plain_gradients] = run(batch, head);
  const auto [weighted, weighted_gradients] = run(batch, thrice);
  CHECK(weighted.kl == plain.kl);
  CHECK(weighted.total == Approx(3.0 * plain.total).epsilon(1e-6));
  CHECK(relative_difference(weighted_gradients.at(last), 3.0 * plain_gradients.at(last)) < 1e-5);

  const LossOptions hidden{.kl = 0.0, .ce = 0.0, .hidden = 1.0};
  LossOptions no_towers = hidden;
  no_towers.towers = {.image = 0.0, .audio = 0.0};
  const auto [all, all_gradients] = run(batch, hidden);
  const auto [decoder, decoder_gradients] = run(batch, no_towers);
  CHECK(decoder.hidden == all.hidden);
  CHECK(decoder.total > 0.0);
  CHECK(decoder.total < all.total);
  CHECK_FALSE(decoder_gradients.at(tower).equal(all_gradients.at(tower)));
  CHECK(decoder_gradients.at(last).equal(all_gradients.at(last)));
}

TEST_CASE("weights of a modality that the model does not read are refused", "[trainer][plan]") {
  CHECK(error_message([] {
          tiny_experiment([](Recipe& recipe) {
            recipe.loss.modality.audio = 2;
            recipe.loss.towers.image = 0;
          });
        }) ==
        "loss.towers.image: expected 1, since the model reads no image, got 0\n"
        "loss.modality.audio: expected 1, since the model reads no audio, got 2");
}

TEST_CASE("towers save for backward in proportion to a batch's pictures and clips",
          "[trainer][predict]") {
  const Composed composed;
  const TrainedPaths paths = composed.paths();
  const auto saved = [&](std::vector<std::size_t> samples) {
    return saved_bytes_of_towers(composed.experiment.model.network, quant::DistanceKind::kRelative,
                                 batch_of(*composed.texts.train, std::move(samples)),
                                 paths.control->executor, *paths.quantized);
  };
  const SavedBytes one = saved({1}), two = saved({1, 1});
  CHECK(one.kept > one.checkpointed);
  CHECK(one.checkpointed > 0.0);
  CHECK(two.kept / one.kept == Approx(2.0).epsilon(0.02));
}
