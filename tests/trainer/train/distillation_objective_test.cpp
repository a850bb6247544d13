#include "trainer/train/distillation_objective.h"

#include <torch/torch.h>

#include <map>
#include <numeric>

#include "data/samples/taught_samples.h"
#include "modules/execute/float_executor.h"
#include "modules/model/encoder_network.h"
#include "modules/model/media_readers.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/model.h"
#include "trainer/experiment/frozen_tower.h"
#include "trainer/experiment/texts.h"

using namespace dualpath;
using namespace dualpath::trainer;
using namespace dualpath::testing;
using modules::Modality;
using torch::Tensor;

namespace {

/// The composition's samples as a model takes them.
Texts texts_of(const modules::Model& model) {
  data::DataOptions options;
  options.train = kReference / "composition" / "samples.jsonl";
  options.window = 512;
  return load_texts(options, model);
}

std::vector<std::size_t> numbers_of(const data::Samples& samples) {
  std::vector<std::size_t> numbers(samples.size());
  std::iota(numbers.begin(), numbers.end(), std::size_t{0});
  return numbers;
}

}  // namespace

TEST_CASE("a frame's distance is relative to the teacher's", "[trainer][distillation]") {
  const Tensor wanted = torch::tensor({{3.f, 4.f}, {0.f, 2.f}}),
               frames = torch::tensor({{3.f, 5.f}, {1.f, 2.f}}, torch::requires_grad());
  const Tensor distance = taught_distance(Modality::kImage, frames, wanted);
  CHECK(distance.item<double>() == Approx(1.0 / 25.0 + 1.0 / 4.0).epsilon(1e-5));
  distance.backward();
  CHECK(frames.grad()[0][1].item<double>() == Approx(2.0 / 25.0).epsilon(1e-5));
  CHECK(frames.grad()[0][0].item<double>() == 0.0);
}

TEST_CASE("a clip's frames are compared at the model's own rate, a picture's one by one",
          "[trainer][distillation]") {
  const Tensor wanted = torch::tensor({{1.f}, {3.f}, {5.f}, {7.f}}),
               halved = torch::tensor({{2.f}, {6.f}}, torch::requires_grad());
  CHECK(taught_distance(Modality::kAudio, halved, wanted).item<double>() ==
        Approx(0.0).margin(1e-6));
  CHECK(error_message([&] { taught_distance(Modality::kImage, halved, wanted); }) ==
        "loss.distillation: the model makes 2 frames of a picture, the teacher 4");
  CHECK(error_message([&] {
          taught_distance(Modality::kAudio, torch::zeros({2, 3}), wanted);
        }) == "loss.distillation: the model's audio frames have 3 channels, the teacher's 1");
}

TEST_CASE("a model that learns from itself has nothing to learn", "[trainer][distillation]") {
  const modules::Model model = modules::open_model(kReference / "composition" / "model");
  modules::FloatExecutor executor(model.weights, at::kFloat);
  const Texts texts = texts_of(model);
  const data::TaughtSamples samples(*texts.train, media_readers(model));
  const modules::Network towers = modules::without_decoder(model.network);
  std::vector<FrozenTower> encoders;
  for (const modules::Tower& tower : model.config.towers)
    encoders.push_back(frozen_tower(model, tower, /*with_alignment=*/false, at::kFloat));
  const FrozenTowers frozen(std::move(encoders), /*store=*/nullptr);
  const auto distance = [&](const data::Batch& batch, std::map<Modality, std::int64_t> tokens) {
    DistillationObjective objective(towers, std::move(tokens), executor, {}, {},
                                    {&executor, frozen, frozen.rest(towers)}, /*weight=*/1.0);
    const GlobalCount count = objective.count(batch);
    return objective.run({.batch = batch, .count = count}).task.item<double>();
  };
  std::map<Modality, std::int64_t> all;
  for (const modules::Tower& tower : model.config.towers)
    all[tower.placeholder.modality] = tower.placeholder.token_id;
  data::Batch batch = samples.batch(numbers_of(samples));
  CHECK(distance(batch, all) == Approx(0.0).margin(1e-9));

  batch.taught.images->values = batch.taught.images->values.flip(0);
  CHECK(distance(batch, all) > 0.01);
  CHECK(distance(batch, {{Modality::kAudio, all.at(Modality::kAudio)}}) ==
        Approx(0.0).margin(1e-9));
  data::Batch text = batch;
  text.images = text.audio = text.taught.images = text.taught.audio = {};
  CHECK(distance(text, all) == 0.0);
}

TEST_CASE("a batch holds its files as the teacher takes them, too", "[trainer][distillation]") {
  const modules::Model model = modules::open_model(kReference / "composition" / "model"),
                       teacher = modules::open_model(kReference / "composition" / "others");
  const Texts own = texts_of(model), others = texts_of(teacher);
  const data::TaughtSamples taught(*own.train, media_readers(teacher));
  const std::vector<std::size_t> all = numbers_of(taught);
  const data::Batch batch = taught.batch(all), wanted = others.train->batch(all);
  REQUIRE(batch.taught.audio);
  CHECK(batch.taught.audio->values.equal(wanted.audio->values));
  CHECK(batch.taught.images->values.equal(wanted.images->values));
  CHECK_FALSE(batch.audio->values.equal(batch.taught.audio->values));
  CHECK_THAT(error_message([&] { data::TaughtSamples(*own.train, {}); }),
             Catch::Contains("files are named, but the model takes none"));
}
