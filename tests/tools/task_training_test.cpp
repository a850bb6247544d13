#include <csignal>
#include <nlohmann/json.hpp>
#include <set>

#include "data/files/atomic_file.h"
#include "data/formats/safetensors.h"
#include "tests/support/catch.h"
#include "tests/tools/tiny_run.h"

using namespace dualpath;
using namespace dualpath::testing;
using Catch::Contains;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

/// Two clips whose words are spelled in a few frames.
struct SpeechRun : TinyRun {
  SpeechRun() : TinyRun("model", "composition") {
    std::string lines;
    for (int i = 0; i < 10; ++i) {
      const char* clip = i % 2 == 0 ? "2.wav" : "3.wav";
      const fs::path file = fs::absolute("build/reference/composition") / clip;
      lines +=
          json{{"text", i % 2 == 0 ? "<|audio|>One!" : "<|audio|>two"}, {"audio", {file.string()}}}
              .dump() +
          "\n";
    }
    write_file(*this / "clips.jsonl", lines);
  }
  Arguments settings{"--set", "data={train: clips.jsonl, window: 128}",
                     "--set", "quantize=null",
                     "--set", "loss={ctc: 1}",
                     "--set", "train.modules=[audio_tower]",
                     "--set", "train.learning_rate={weights: 1e-2, norm_weights: 1e-2}",
                     "--set", "train.max_steps=150",
                     "--set", "train.save_steps=50",
                     "--set", "train.logging_steps=1"};

  Arguments with(const Arguments& more) const {
    Arguments all = settings;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
};

}  // namespace

TEST_CASE("a speech tower learns by CTC to spell its clips, across a kill, too",
          "[tools][multimodal]") {
  const SpeechRun run, broken;
  const json trained = json::parse(run.done("train", run.with({"--json"})).out);
  const std::vector<double> losses = losses_in(run);
  CHECK(losses.back() < 0.2 * losses.front());
  CHECK(trained["ctc"]["clips"] == 1);
  CHECK(trained["ctc"]["left_out"] == 0);
  CHECK(trained["ctc"]["characters"] == 3);
  CHECK(trained["ctc"]["character_error_rate"] == 0.0);
  CHECK_THAT(read_file(run / "run/log.jsonl"), Contains("\"ctc\":"));

  const std::string checkpoint = "run/checkpoint-150/trained.safetensors";
  REQUIRE(broken.run("train", broken.settings, "train.step:91=kill").signal == SIGKILL);
  broken.done("train", broken.settings);
  CHECK(read_file(broken / checkpoint) == read_file(run / checkpoint));
  const std::vector<std::string> names = data::SafetensorsReader(run / checkpoint).names();
  CHECK(std::ranges::find(names, "ctc.weight") != names.end());
  run.done("export", run.settings);
  const data::SafetensorsReader before(run / "model/model.safetensors"),
      after(run / "export/model.safetensors");
  CHECK(after.names() == before.names());
}

TEST_CASE("alignment layers learn to speak the decoder's tokens, and nothing else changes",
          "[tools][multimodal]") {
  const TinyRun run("model", "composition");
  const fs::path files = fs::absolute("build/reference/composition");
  std::string lines;
  for (int i = 0; i < 12; ++i) {
    if (i % 3 == 0) lines += json{{"text", "no file"}}.dump() + "\n";
    if (i % 3 == 1)
      lines +=
          json{{"text", "<|image|> a cat"}, {"images", {(files / "1.png").string()}}}.dump() + "\n";
    if (i % 3 == 2)
      lines +=
          json{{"text", "<|audio|> two"}, {"audio", {(files / "2.wav").string()}}}.dump() + "\n";
  }
  write_file(run / "samples.jsonl", lines);
  const std::string trained = "train.modules=[vision_alignment, audio_alignment]";
  const Arguments settings{"--set", "data={train: samples.jsonl, window: 128}",
                           "--set", "quantize=null",
                           "--set", "loss={alignment: 1}",
                           "--set", trained,
                           "--set", "train.learning_rate={weights: 1e-2, norm_weights: 1e-2}",
                           "--set", "train.max_steps=30",
                           "--set", "train.per_device_train_batch_size=3",
                           "--set", "train.logging_steps=1"};
  run.done("train", settings);
  const std::vector<double> losses = losses_in(run);
  CHECK(losses.back() < 0.5 * losses.front());
  CHECK_THAT(read_file(run / "run/log.jsonl"), Contains("\"alignment\":"));
  run.done("export", settings);
  const data::SafetensorsReader before(run / "model/model.safetensors"),
      after(run / "export/model.safetensors");
  std::set<std::string> changed;
  for (const std::string& name : after.names()) {
    if (!std::ranges::equal(after.tensor(name).bytes, before.tensor(name).bytes))
      changed.insert(name.substr(0, name.find('.')));
  }
  CHECK(changed == std::set<std::string>{"audio_alignment", "vision_alignment"});

  Arguments more = settings;
  more.insert(more.end(), {"--set", "train.modules=[language_model]"});
  const ProgramEnd refused = run.run("plan", more);
  CHECK(refused.code == 2);
  CHECK_THAT(refused.err, Contains("since loss.alignment trains no other"));
}

TEST_CASE("towers learn the frames of another model's, and a kill changes no byte of it",
          "[tools][multimodal]") {
  const fs::path files = fs::absolute("build/reference/composition");
  const Arguments settings{
      "--set", "data={train: " + (files / "samples.jsonl").string() + ", window: 512}",
      "--set", "quantize=null",
      "--set", "loss={distillation: 1}",
      "--set", "train.modules=[audio_tower, audio_alignment, vision_alignment]",
      "--set", "train.teacher=" + (files / "others").string(),
      "--set", "train.learning_rate={weights: 1e-2, norm_weights: 1e-2}",
      "--set", "train.max_steps=40",
      "--set", "train.per_device_train_batch_size=3",
      "--set", "train.save_steps=20",
      "--set", "train.logging_steps=1"};
  const TinyRun run("model", "composition"), broken("model", "composition");
  run.done("train", settings);
  const std::vector<double> losses = losses_in(run);
  CHECK(losses.back() < 0.5 * losses.front());
  CHECK_THAT(read_file(run / "run/log.jsonl"), Contains("\"distillation\":"));
  const std::string checkpoint = "run/checkpoint-40/trained.safetensors";
  REQUIRE(broken.run("train", settings, "train.step:31=kill").signal == SIGKILL);
  broken.done("train", settings);
  CHECK(read_file(broken / checkpoint) == read_file(run / checkpoint));

  const auto message = [&](const char* command, const std::string& more) {
    Arguments changed = settings;
    changed.insert(changed.end(), {"--set", more});
    const ProgramEnd end = run.run(command, changed);
    CHECK(end.code == 2);
    return end.err;
  };
  CHECK_THAT(message("plan", "train.teacher=null"),
             Contains("train.teacher: expected the directory of a "
                      "model, which loss.distillation needs"));
  CHECK_THAT(message("plan", "loss={alignment: 1}"),
             Contains("train.teacher: expected none, since loss.distillation is 0"));
  CHECK_THAT(message("train", "train.output_dir=" + (files / "others" / "run").string()),
             Contains("lies in train.teacher"));
}

TEST_CASE("two processes train by CTC as one at twice the batch",
          "[tools][multimodal][processes]") {
  const SpeechRun one, two;
  one.done("train", one.with({"--set", "train.max_steps=4", "--set",
                              "train.per_device_train_batch_size=2"}));
  two.done("train", two.with({"--set", "train.max_steps=4", "--set",
                              "train.per_device_train_batch_size=1", "--processes", "2"}));
  const std::vector<double> expected = losses_in(one), losses = losses_in(two);
  REQUIRE(losses.size() == 4);
  for (std::size_t i = 0; i < losses.size(); ++i)
    CHECK(losses[i] == Approx(expected[i]).epsilon(1e-4));
}

TEST_CASE("CTC is refused where it would train nothing", "[tools][multimodal]") {
  const SpeechRun run;
  const auto message = [&](const Arguments& more) {
    const ProgramEnd end = run.run("plan", run.with(more));
    CHECK(end.code == 2);
    return end.err;
  };
  CHECK_THAT(message({"--set", "train.modules=[audio_tower, audio_alignment]"}),
             Contains("train.modules: expected modules of audio_tower alone"));
  CHECK_THAT(message({"--set", "quantize={}", "--set", "loss={kl: 0, hidden: 0, ctc: 1}"}),
             Contains("loss.ctc: expected 0, since it trains a tower in float"));
  const ProgramEnd mute = run.run("train", run.with({"--set", "data={train: book.jsonl}"}));
  CHECK(mute.code == 1);
  CHECK_THAT(mute.err, Contains("loss.ctc: expected one clip in each sample, got 0 in sample 1"));
  const json plan = json::parse(run.done("plan", run.with({"--json"})).out);
  CHECK(plan["prediction"]["seconds"]["train"] > 0.0);
}
