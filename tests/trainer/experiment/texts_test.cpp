#include "trainer/experiment/texts.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"
#include "tests/trainer/tiny_experiment.h"
#include "trainer/evaluate/evaluation.h"
#include "trainer/predict/prediction.h"
#include "trainer/train/objective.h"
#include "trainer/train/train_loop.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;

namespace {

using nlohmann::json;

constexpr const char* kTemplate =
    "{% for m in messages %}{{ m.role }}: {{ m.content }}<|endoftext|>{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}";

json talk(const std::string& question, const std::string& answer) {
  return {
      {"messages",
       {{{"role", "user"}, {"content", question}}, {{"role", "assistant"}, {"content", answer}}}}};
}

/// A tiny model that has a chat template, and a text of six lines, half of which train.
struct Talks {
  explicit Talks(const std::vector<json>& lines) {
    const std::filesystem::path source = kReference / "tiny_llama/outliers";
    std::filesystem::copy(source, folder / "model");
    write_plain(folder / "model/chat_template.jinja", kTemplate);
    std::string text;
    for (const json& line : lines) text += line.dump() + "\n";
    write_plain(folder / "talks.jsonl", text);
    experiment = tiny_experiment([&](Recipe& recipe) {
      recipe.model.path = folder / "model";
      recipe.data.train = folder / "talks.jsonl";
      recipe.data.split = {0.5, 0.25, 0.25};
      recipe.data.window = 24;
      recipe.data.assistant_only_loss = true;
      recipe.train.max_steps = 3;
      recipe.evaluate.num_tokens = 1000;
    });
  }

  Texts texts() const { return load_texts(experiment->recipe.data, experiment->model); }
  std::string message() const {
    return error_message([&] { texts(); });
  }

  TemporaryDirectory folder;
  std::optional<Experiment> experiment;
};

std::vector<json> some_talks() {
  std::vector<json> lines;
  for (int i = 0; i < 6; ++i)
    lines.push_back(
        talk("what is the number of the day that we talk about", "day " + std::to_string(i)));
  return lines;
}

/// The predicted tokens of all samples, in their order.
std::string predicted(const Talks& talks, const data::Samples& samples) {
  std::vector<std::int32_t> ids;
  for (const data::Batch& batch : spread_samples(samples, samples.size())) {
    const at::Tensor targets = counted_targets(batch);
    for (std::int64_t i = 0; i < targets.size(0); ++i)
      ids.push_back(targets[i].item<std::int32_t>());
  }
  return talks.experiment->model.tokenizer.decode(ids);
}

std::int64_t targets_of(const data::Samples& samples) {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) count += samples.targets(i);
  return count;
}

}  // namespace

TEST_CASE("of conversations the answers alone are predicted", "[trainer][texts]") {
  const Talks talks(some_talks());
  const Texts texts = talks.texts();
  const std::string answers = predicted(talks, *texts.train);
  CHECK_THAT(answers, Catch::Contains("<|endoftext|>"));
  CHECK(answers.size() <= 3 * std::string(" day 0<|endoftext|>").size());
  CHECK(std::ranges::none_of(answers, [](char c) { return c == 'w' || c == 'u' || c == ':'; }));
  CHECK(targets_of(*texts.train) > 0);
}

TEST_CASE("a blend's sources are split each by itself and stand side by side", "[trainer][texts]") {
  Talks talks(some_talks());
  const std::size_t alone = talks.texts().train->size();
  write_plain(talks.folder / "all.blend.json",
              R"({"sources": [{"path": "talks.jsonl", "ratio": 2}, {"path": "talks.jsonl"}]})");
  talks.experiment->recipe.data.train = talks.folder / "all.blend.json";
  const Texts texts = talks.texts();
  CHECK(texts.train->size() == 2 * alone);
  REQUIRE(texts.train->groups().size() == 2);
  CHECK(texts.train->groups()[0].ratio == 2);
  CHECK(texts.train->groups()[1].size == alone);
  CHECK(texts.test->groups().size() == 2);
}

TEST_CASE("without assistant_only_loss all of a conversation is predicted, as of a text",
          "[trainer][texts]") {
  Talks talks(some_talks());
  talks.experiment->recipe.data.assistant_only_loss = false;
  CHECK_THAT(predicted(talks, *talks.texts().train),
             Catch::Contains("what is the number") && Catch::Contains("assistant"));
  talks.experiment->recipe.data.window = 512;
  CHECK_THAT(talks.message(), Catch::Contains("but one window needs 512"));
}

TEST_CASE("losses of conversations are means over the answers' tokens", "[trainer][texts]") {
  const Talks talks(some_talks());
  const Texts texts = talks.texts();
  const data::Batch batch = batch_of(*texts.train, {0, 1});
  modules::FloatExecutor executor = reference_of(*talks.experiment);
  const at::Tensor log_p =
      logits_of(talks.experiment->model.network, executor, batch.ids, batch.mask).log_softmax(-1);
  double nll = 0.0;
  std::int64_t count = 0;
  for (std::int64_t row = 0; row < 2; ++row) {
    for (std::int64_t i = 0; i + 1 < batch.ids.size(1); ++i) {
      if (batch.targets[row][i].item<std::int64_t>() == data::kNoTarget) continue;
      nll -= log_p[row][i][batch.ids[row][i + 1].item<std::int64_t>()].item<double>();
      ++count;
    }
  }
  CHECK(count == texts.train->targets(0) + texts.train->targets(1));
  CHECK(count < batch.mask.sum().item<std::int64_t>() / 2);
  const StepLosses losses = CrossEntropyObjective(talks.experiment->model.network, executor)
                                .accumulate(batch, {count, batch.mask.sum().item<std::int64_t>()});
  CHECK(losses.ce == Approx(nll / static_cast<double>(count)).epsilon(1e-4));
}

TEST_CASE("conversations are predicted for, trained on and evaluated", "[trainer][texts]") {
  const Talks talks(some_talks());
  const Experiment& experiment = *talks.experiment;
  const Texts texts = talks.texts();
  CHECK(predict(experiment, texts).seconds->train > 0.0);

  modules::FloatExecutor reference = reference_of(experiment);
  QuantizedPath path(experiment, calibrated(experiment), reference);
  PairedObjective repair(experiment.model.network, reference, path.corrected,
                         experiment.recipe.loss);
  Optimizer optimizer(path.trainables.groups, experiment.recipe.train);
  const LoopResult result =
      train_loop({"train", talks.folder / "run", "fingerprint"}, experiment.recipe.train,
                 /*seed=*/1, *texts.train, repair, optimizer);
  CHECK(result.steps == 3);
  CHECK(std::isfinite(result.last.loss.value()));

  const auto rows =
      evaluate_rows(experiment.model.network, {{"fp", &reference}}, *texts.test,
                    experiment.recipe.evaluate, Processes::alone(), [](std::int64_t) {});
  CHECK(tokens_of(rows[0]) == targets_of(*texts.test));
  CHECK(std::isfinite(figures_of(rows[0]).at("nll")));
}

TEST_CASE("a text beside conversations is predicted whole, of which only answers are",
          "[trainer][texts]") {
  std::vector<json> lines = some_talks();
  for (std::size_t i = 0; i < lines.size(); i += 2) lines[i] = {{"text", "What a text this is."}};
  const Talks talks(lines);
  const Texts texts = talks.texts();
  const std::string all = predicted(talks, *texts.train) + predicted(talks, *texts.selection) +
                          predicted(talks, *texts.test);
  CHECK_THAT(all, Catch::Contains("hat a text this is.") && Catch::Contains(" day 1"));
  CHECK_THAT(all, !Catch::Contains("what is the number"));
}

TEST_CASE("windows longer than the model's positions are a mistake of the recipe",
          "[trainer][texts]") {
  Talks talks(some_talks());
  talks.experiment->recipe.data.window = 513;
  CHECK_THROWS_AS(talks.texts(), UsageError);
  CHECK(talks.message() ==
        "data.window: expected at most 512, the model's max_position_embeddings, got 513");
}

TEST_CASE("own parts and more sets are read whole, blends in their sources' order",
          "[trainer][texts]") {
  Talks talks(some_talks());
  data::DataOptions& data = talks.experiment->recipe.data;
  const auto write = [&](const char* name, int first, int count) {
    std::string text;
    for (int i = first; i < first + count; ++i)
      text += talk("what is the number of the day that we talk about", "day " + std::to_string(i))
                  .dump() +
              "\n";
    write_plain(talks.folder / name, text);
  };
  write("a.jsonl", 1, 1);
  write("b.jsonl", 2, 2);
  write("c.jsonl", 4, 3);
  write_plain(talks.folder / "ca.blend.json",
              R"({"sources": [{"path": "c.jsonl"}, {"path": "a.jsonl"}]})");
  data.selection = talks.folder / "a.jsonl";
  data.test = talks.folder / "ca.blend.json";
  // A window's first token is context only, so all tokens are looked at.
  const auto all_of = [&](const data::Samples& samples) {
    std::string all;
    for (std::size_t i = 0; i < samples.size(); ++i)
      all += talks.experiment->model.tokenizer.decode(samples.sample(i).tokens.ids);
    return all;
  };
  const auto load = [&](const std::vector<EvaluateSet>& sets) {
    return load_texts(data, talks.experiment->model, sets);
  };
  const Texts texts = load({{"more", talks.folder / "b.jsonl"}});
  CHECK_THAT(all_of(*texts.train), Catch::Contains("5"));  // all of it trains
  CHECK_THAT(all_of(*texts.selection), Catch::Contains("1"));
  const std::string test = all_of(*texts.test);
  CHECK(test.find('4') < test.find('6'));
  CHECK(test.find('6') < test.find('1'));
  REQUIRE(texts.sets.size() == 1);
  CHECK(texts.sets[0].name == "more");
  CHECK_THAT(all_of(*texts.sets[0].samples), Catch::Contains("2") && Catch::Contains("3"));

  const std::string path = (talks.folder / "talks.jsonl").string();
  std::filesystem::create_symlink("talks.jsonl", talks.folder / "link.jsonl");
  CHECK(error_message([&] {
          load({{"again", talks.folder / "link.jsonl"}});
        }) == "evaluate.sets.again: expected data that is not trained on, but " +
                  (talks.folder / "link.jsonl").string() + " is data.train's");
  data.test = path;
  CHECK(error_message([&] { load({}); }) ==
        "data.test: expected data that is not trained on, but " + path + " is data.train's");
}
