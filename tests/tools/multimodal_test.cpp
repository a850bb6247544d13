#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <span>
#include <sstream>

#include "data/files/atomic_file.h"
#include "data/formats/safetensors.h"
#include "tests/support/catch.h"
#include "tests/support/plain_file.h"
#include "tests/tools/tiny_run.h"

using namespace dualpath;
using namespace dualpath::testing;
using Catch::Contains;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

/// A run of a model with towers on the samples beside it.
struct MultimodalRun : TinyRun {
  MultimodalRun(const std::string& model, const std::string& script) : TinyRun(model, script) {
    const fs::path texts = fs::absolute("build/reference") / script / "samples.jsonl";
    settings = {"--set", "data={train: " + texts.string() + ", window: 512}", "--set",
                "train.max_steps=2"};
  }
  json result(const std::string& command, Arguments more = {}) const {
    more.insert(more.end(), settings.begin(), settings.end());
    more.push_back("--json");
    return json::parse(done(command, more).out);
  }
  Arguments settings;
};

json second_line(const fs::path& file) {
  std::istringstream lines(read_file(file));
  std::string line;
  std::getline(lines, line);
  std::getline(lines, line);
  return json::parse(line);
}

bool has(const json& stages, const std::string& name) {
  return std::any_of(stages.begin(), stages.end(),
                     [&](const json& stage) { return stage["name"] == name; });
}

/// Calls check(rows) for each modality of a set; there is one at least.
template <class Check>
void for_each_modality(const json& set, const Check& check) {
  REQUIRE(set.size() > 0);
  for (const auto& [modality, rows] : set.items()) {
    INFO(modality);
    check(modality, rows);
  }
}

/// Checks that an export's rows have the perplexities of the run's, modality by modality.
void check_same_perplexity(const json& exported, const std::string& row, const json& set,
                           const std::string& row_of_run) {
  REQUIRE(exported.size() == set.size());
  for_each_modality(set, [&](const std::string& modality, const json& rows) {
    CHECK(exported[modality][row]["perplexity"] == rows[row_of_run]["perplexity"]);
  });
}

}  // namespace

TEST_CASE("a model with towers goes from pictures and clips to a table and an export",
          "[tools][multimodal]") {
  const std::string script = GENERATE("glm4v", "composition");
  INFO(script);
  const bool is_glm4v = script == "glm4v";
  const MultimodalRun run(is_glm4v ? "tiny" : "model", script);
  const json plan = run.result("plan");
  const json& stages = plan["corrected_stages"];
  const std::vector<std::string> expected =
      is_glm4v ? std::vector<std::string>{"model.visual.blocks.1", "model.visual.merger",
                                          "model.language_model.layers.2"}
               : std::vector<std::string>{"vision_tower.encoder.layer.1", "vision_alignment",
                                          "audio_tower.layers.2", "audio_alignment",
                                          "language_model.layers.2"};
  for (const std::string& stage : expected) {
    INFO(stage);
    CHECK(has(stages, stage));
  }
  CHECK(run.result("train")["train"]["steps"] == 2);
  const json sets = run.result("evaluate")["sets"];
  for_each_modality(sets["in_domain"], [](const std::string&, const json& rows) {
    for (const char* row : {"fp", "quantized", "corrected", "control"})
      CHECK(rows[row]["perplexity"] > 1);
    CHECK(rows["quantized"]["kl"] > 0);
  });
  CHECK(run.result("export")["weight_bytes"] == plan["bytes"]["quantized"]);
  const json exported = run.result("evaluate", {"--set", "model.path=export"})["sets"]["in_domain"];
  for (const char* row : {"quantized", "corrected"})
    check_same_perplexity(exported, row, sets["in_domain"], row);
}

TEST_CASE("without quantizing, the parts that are named learn, and the export is a float model",
          "[tools][multimodal]") {
  const std::string script = GENERATE("glm4v", "composition");
  INFO(script);
  const bool is_glm4v = script == "glm4v";
  MultimodalRun run(is_glm4v ? "tiny" : "model", script);
  const std::string part = is_glm4v ? "model.visual.merger" : "vision_alignment";
  run.settings.insert(run.settings.end(),
                      {"--set", "quantize=null", "--set", "train.modules=[" + part + "]", "--set",
                       "train.max_steps=24", "--set", "train.logging_steps=1", "--set",
                       "train.learning_rate={weights: 1e-2, norm_weights: 1e-2}"});
  CHECK(run.result("train")["train"]["steps"] == 24);
  const std::vector<double> losses = losses_in(run);
  REQUIRE(losses.size() == 24);
  const auto mean = [](auto begin) { return std::accumulate(begin, begin + 6, 0.0) / 6; };
  CHECK(mean(losses.end() - 6) < mean(losses.begin()));
  const json set = run.result("evaluate")["sets"]["in_domain"];
  for_each_modality(set, [](const std::string& modality, const json& rows) {
    CHECK(rows.size() == 3);  // the two rows and their intervals
    if (modality != "text") CHECK(rows["trained"]["perplexity"] != rows["fp"]["perplexity"]);
    CHECK(rows["trained"]["bytes"] == rows["fp"]["bytes"]);
  });

  run.result("export");
  const data::SafetensorsReader before(run / "model/model.safetensors"),
      after(run / "export/model.safetensors");
  CHECK(after.names() == before.names());
  for (const std::string& name : after.names()) {
    INFO(name);
    const bool is_same = std::ranges::equal(after.tensor(name).bytes, before.tensor(name).bytes);
    CHECK((is_same || name.starts_with(part + ".")));
  }
  CHECK_FALSE(json::parse(read_file(run / "export/config.json")).contains("quantization_config"));
  const Arguments opened{"--set", "train.output_dir=again", "--set", "export.output_dir=third"};
  run.settings.insert(run.settings.end(), {"--set", "model.path=export"});
  run.result("calibrate", opened);
  check_same_perplexity(run.result("evaluate", opened)["sets"]["in_domain"], "fp", set, "trained");
}

TEST_CASE("training behind frozen towers has the same bytes with features kept and without",
          "[tools][multimodal]") {
  const std::string script = GENERATE("glm4v", "composition");
  INFO(script);
  const bool is_glm4v = script == "glm4v";
  const auto trained = [&](const std::string& cache, const std::string& failpoint) {
    MultimodalRun run(is_glm4v ? "tiny" : "model", script);
    const std::string part = is_glm4v ? "model.language_model.layers.2" : "vision_alignment";
    run.settings.insert(run.settings.end(),
                        {"--set", "quantize=null", "--set", "train.modules=[" + part + "]", "--set",
                         "train.max_steps=6", "--set", "train.save_steps=2", "--set",
                         "train.feature_cache=" + cache});
    if (!failpoint.empty())
      REQUIRE(run.run("train", run.settings, failpoint + "=kill").signal == SIGKILL);
    run.done("train", run.settings);
    CHECK(fs::exists(run / "run/features") == (cache == "{}"));
    return read_file(run / "run/checkpoint-6/trained.safetensors");
  };
  const std::string computed = trained("{max_gib: 0}", "");
  CHECK(trained("{}", "") == computed);
  CHECK(trained("{}", "train.step:4") == computed);
  CHECK(trained("{path: elsewhere, max_gib: 1e-5}", "") == computed);
}

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

TEST_CASE("an export with towers is opened again as it was evaluated", "[tools][multimodal]") {
  // The settings test codes in words, names that torchaudio spells in its own way, a search for
  // factors, and a file that holds a decoder beside Whisper's encoder. The search's first sample
  // shows the towers nothing.
  const auto [model, setting] = GENERATE(table<std::string, std::string>(
      {{"model", "quantize.config_groups={all: {targets: [Linear], weights: {num_bits: 4}}}"},
       {"torchaudio", "quantize.calibration={num_samples: 6}"},
       {"model", "quantize.smoothing={search: true}"},
       {"others", "quantize.smoothing={}"}}));
  INFO(model << " " << setting);
  const MultimodalRun run(model, "composition");
  const Arguments settings{"--set", setting, "--set", "train.max_steps=1"};
  run.result("train", settings);
  const json sets = run.result("evaluate", settings)["sets"]["in_domain"];
  run.result("export", settings);
  const json exported = run.result("evaluate", {"--set", "model.path=export"})["sets"]["in_domain"];
  const std::string row = setting.find("smoothing") == setting.npos ? "quantized" : "smoothed";
  check_same_perplexity(exported, "quantized", sets, row);
}

TEST_CASE("two processes whose batches differ in modalities train as one at twice the batch",
          "[tools][multimodal][processes]") {
  const std::string script = GENERATE("glm4v", "composition");
  INFO(script);
  const auto losses = [&](const Arguments& more) {
    const MultimodalRun run(script == "glm4v" ? "tiny" : "model", script);
    Arguments settings = run.settings;
    settings.insert(settings.end(),
                    {"--set", "train.max_steps=6", "--set", "train.logging_steps=1", "--set",
                     "train.input_gradients=float", "--set", "train.control=false"});
    settings.insert(settings.end(), more.begin(), more.end());
    run.done("train", settings);
    std::vector<json> lines;
    std::istringstream log(read_file(run / "run/log.jsonl"));
    for (std::string line; std::getline(log, line);) lines.push_back(json::parse(line));
    return lines;
  };
  const auto one = losses({"--set", "train.per_device_train_batch_size=2"});
  const auto two = losses({"--set", "train.per_device_train_batch_size=1", "--processes", "2"});
  REQUIRE(two.size() == 6);
  for (std::size_t i = 0; i < two.size(); ++i) {
    for (const char* term : {"loss", "hidden"})
      CHECK(two[i][term].get<double>() == Approx(one[i][term].get<double>()).epsilon(1e-4));
  }
}

TEST_CASE("scales by modality are exported where only this program looks for them",
          "[tools][multimodal]") {
  const MultimodalRun run("model", "composition");
  const Arguments separate{"--set", "quantize.modality_scales=separate"};
  run.result("train", separate);
  const json sets = run.result("evaluate", separate)["sets"]["in_domain"];
  Arguments refused = run.settings;
  refused.insert(refused.end(), separate.begin(), separate.end());
  const ProgramEnd plain = run.run("export", refused);
  CHECK(plain.code != 0);
  CHECK_THAT(plain.err, Contains("language_model.layers.0") && Contains("has a scale a modality"));
  Arguments own = separate;
  own.insert(own.end(), {"--set", "export.format=dualpath"});
  const json plan = run.result("plan", own);
  CHECK(run.result("export", own)["weight_bytes"] == plan["bytes"]["quantized"]);
  const json exported = run.result("evaluate", {"--set", "model.path=export"})["sets"]["in_domain"];
  for (const char* row : {"quantized", "corrected"})
    check_same_perplexity(exported, row, sets, row);

  const fs::path there = run / "export";
  CHECK(json::parse(read_file(there / "config.json"))["quantization_config"]["quant_method"] ==
        "dualpath");
  json description = json::parse(read_file(there / "dualpath.json"));
  description["modality_scales"].front()["image"] = 0;
  write_file(there / "dualpath.json", description.dump());
  Arguments opened = run.settings;
  opened.insert(opened.end(), {"--set", "model.path=export"});
  const ProgramEnd damaged = run.run("evaluate", opened);
  CHECK(damaged.code != 0);
  CHECK_THAT(damaged.err, Contains("dualpath.json: modality_scales.") && Contains(".image"));
}

TEST_CASE("pictures and clips are read into the dtype that a model computes in",
          "[tools][multimodal]") {
  const std::string model = GENERATE("model", "torchaudio");
  INFO(model);
  const MultimodalRun run(model, "composition");
  const Arguments half{"--set", "model.dtype=bfloat16"};
  run.result("train", half);
  const json sets = run.result("evaluate", half)["sets"]["in_domain"];
  for_each_modality(sets, [](const std::string&, const json& rows) {
    CHECK(rows["quantized"]["kl"] > 0);
    CHECK(rows["quantized"]["kl"] < 1);
  });
}

TEST_CASE("a plan of towers without pictures to calibrate on is an error", "[tools][multimodal]") {
  const TinyRun run("tiny", "glm4v");
  const ProgramEnd refused = run.run("calibrate");
  CHECK(refused.code != 0);
  CHECK_THAT(refused.err, Contains("quantize.calibration.text_only: the model reads image"));
  const ProgramEnd end =
      run.run("calibrate", {"--restart", "--set", "quantize.calibration.text_only=true"});
  CHECK(end.code != 0);
  CHECK_THAT(end.err, Contains("model.visual.") && Contains("calibration saw no image"));
}

TEST_CASE("text is generated behind a picture as transformers does it", "[tools][multimodal]") {
  const fs::path folder = "build/reference/glm4v";
  const json line = second_line(folder / "samples.jsonl");
  const Arguments command{
      "generate", (folder / "tiny").string(),     "--json", "--max-tokens", "32",
      "--prompt", line["text"].get<std::string>()};
  Arguments with_picture = command;
  for (const json& image : line["images"]) {
    with_picture.push_back("--image");
    with_picture.push_back((folder / image.get<std::string>()).string());
  }
  const ProgramEnd end = run_dualpath(with_picture);
  INFO(end.err);
  REQUIRE(end.code == 0);
  const auto tokens = json::parse(end.out)["rows"]["fp"]["tokens"].get<std::vector<std::int64_t>>();
  const data::SafetensorsReader expected(folder / "tiny.safetensors");
  const std::span<const std::byte> greedy = expected.tensor("sample_greedy").bytes;
  REQUIRE(!tokens.empty());
  CHECK(std::ranges::equal(std::as_bytes(std::span(tokens)),
                           greedy.first(tokens.size() * sizeof(std::int64_t))));
  const ProgramEnd forgotten = run_dualpath(command);
  CHECK(forgotten.code != 0);
  CHECK_THAT(forgotten.err, Contains("the text has image tokens (id 512), but no image file"));
  with_picture.insert(with_picture.end(), {"--image", (folder / "1-0.png").string()});
  const ProgramEnd refused = run_dualpath(with_picture);
  CHECK(refused.code != 0);
  CHECK_THAT(refused.err, Contains("the text has 1 image tokens (id 512), but 2 image files"));
}

TEST_CASE("GLM-4.1V-9B is planned from its config.json alone", "[tools][multimodal]") {
  const TinyRun run("9b", "glm4v");
  const json plan = json::parse(run.done("plan", {"--set", "model.dtype=bfloat16", "--set",
                                                  "correction.reduction=64", "--json"})
                                    .out);
  std::int64_t parameters = 0;
  const json shapes = json::parse(read_file("build/reference/glm4v/9b/parameters.json"));
  for (const json& shape : shapes) {
    std::int64_t count = 1;
    for (const json& size : shape) count *= size.get<std::int64_t>();
    parameters += count;
  }
  CHECK(plan["parameters"]["model"] == parameters);
  CHECK(plan["bytes"]["fp"] == 2 * parameters);
  const double shrunk =
      plan["bytes"]["quantized"].get<double>() / plan["bytes"]["fp"].get<double>();
  CHECK(shrunk > 0.5);
  CHECK(shrunk < 0.6);
}

namespace {

/// A small model with eyes and ears that answers questions, on parts of its own.
struct JudgedRun : TinyRun {
  JudgedRun() : TinyRun("model", "composition") {
    const fs::path source = fs::absolute("build/reference/composition");
    fs::remove(*this / "model");
    fs::copy(source / "model", *this / "model");
    write_plain(*this / "model/chat_template.jinja",
                "{% for m in messages %}{{ m.role }}: {% for part in m.content %}"
                "{{ part.text if part.type == 'text' else '<|' ~ part.type ~ '|>' }}{% endfor %}"
                "<|endoftext|>{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}");
    for (const char* file : {"1.png", "3.png", "5.png", "2.wav", "6.wav", "7.wav"})
      fs::copy(source / file, *this / file);
    write("train.jsonl", 2);
    write("selection.jsonl", 1);
    write("test.jsonl", 3);
    write("more.jsonl", 2);
    write_plain(*this / "all.blend.json",
                R"({"sources": [{"path": "more.jsonl"}, {"path": "test.jsonl"}]})");
  }

  /// Writes so many rounds of three pictures, three clips and a text.
  void write(const std::string& name, int rounds) const {
    const auto text = [](const std::string& words) {
      return json{{"type", "text"}, {"text", words}};
    };
    std::string lines;
    const auto add = [&](const std::string& kind, const std::string& file,
                         const std::string& answer) {
      json question = json::array({text("What is it?")});
      if (!file.empty()) question.insert(question.begin(), json{{"type", kind}});
      json line{{"messages",
                 {{{"role", "user"}, {"content", question}},
                  {{"role", "assistant"}, {"content", json::array({text(answer)})}}}}};
      if (!file.empty()) line[kind == "image" ? "images" : "audio"] = json::array({file});
      lines += line.dump() + "\n";
    };
    for (int round = 0; round < rounds; ++round) {
      const std::string number = std::to_string(round);
      for (const char* file : {"1.png", "3.png", "5.png"})
        add("image", file, std::string("thing ") + file[0] + number);
      for (const char* file : {"2.wav", "6.wav", "7.wav"})
        add("audio", file, std::string("word ") + file[0] + " and " + number);
      add("", "", "nothing " + number);
    }
    write_plain(*this / name, lines);
  }

  json result(const std::string& command, Arguments more = {}) const {
    const Arguments settings{
        "--set",
        "data={train: train.jsonl, selection: selection.jsonl, test: test.jsonl, "
        "window: 256, assistant_only_loss: true}",
        "--set",
        "train.max_steps=2",
        "--set",
        "train.learning_rate={corrections: 1e-1}",
        "--set",
        "evaluate={sets: {more: all.blend.json}, max_answer_tokens: 6, num_answers: 9, "
        "bootstrap_samples: 100}",
        "--json"};
    more.insert(more.end(), settings.begin(), settings.end());
    return json::parse(done(command, more).out);
  }
};

}  // namespace

TEST_CASE("each modality is judged by its task, in every set", "[tools][multimodal][judge]") {
  const JudgedRun run;
  run.result("train");
  const json sets = run.result("evaluate")["sets"];
  CHECK(sets.size() == 2);
  for (const char* name : {"in_domain", "more"}) {
    INFO(name);
    const json& set = sets[name];
    CHECK(set.size() == 3);
    for (const char* row : {"fp", "quantized", "corrected", "control"}) {
      INFO(row);
      for (const char* metric : {"exact", "top1", "top5", "perplexity", "kl"})
        CHECK(set["image"][row].contains(metric));
      CHECK(set["image"]["intervals"][row]["top5"]["low"] <= set["image"][row]["top5"]);
      CHECK(set["image"]["intervals"][row]["top5"]["high"] >= set["image"][row]["top5"]);
      for (const char* metric : {"wer", "cer"}) CHECK(set["audio"][row][metric] > 0);
      CHECK_FALSE(set["audio"][row].contains("exact"));
      CHECK_FALSE(set["text"][row].contains("exact"));
      CHECK_FALSE(set["text"][row].contains("frames"));
      for (const char* modality : {"image", "audio"})
        CHECK(set[modality][row].contains("frames") == (std::string(row) != "fp"));
    }
    CHECK(set["image"]["quantized"]["frames"] > 0);
    CHECK(set["image"]["control"]["frames"] > 0);  // its towers are corrected, too
    const json& recovered = set["image"]["recovery"]["corrected"];
    for (const char* metric : {"accuracy", "kl", "nll", "frames", "exact", "top1", "top5"})
      CHECK(recovered.contains(metric));
    CHECK(recovered["frames"].contains("value"));  // that loss is beyond doubt
    CHECK(set["audio"]["recovery"]["corrected"].contains("wer"));
    CHECK_FALSE(set["text"]["recovery"]["corrected"].contains("frames"));
  }
  CHECK(sets["more"]["image"]["fp"]["tokens"] > sets["in_domain"]["image"]["fp"]["tokens"]);
  const json report = json::parse(read_file(run / "run/report.json"));
  CHECK(report["evaluation"]["sets"] == sets);
  CHECK(run.result("evaluate", {"--processes", "2"})["sets"] == sets);

  const json& changed = sets["more"]["audio"]["changed"];
  REQUIRE(changed.size() > 0);
  CHECK(changed[0]["answers"].size() == 4);
  CHECK(changed[0]["audio"].size() == 1);
  const std::string page = read_file(run / "run/report.html");
  CHECK_THAT(page, Contains("<h3>more audio</h3>") && Contains("answers that changed"));
  if (sets["more"]["image"].contains("changed"))
    CHECK_THAT(page, Contains("src=\"data:image/png;base64,"));
}

TEST_CASE("without marked answers none is judged, which is said", "[tools][multimodal][judge]") {
  const MultimodalRun run("model", "composition");
  Arguments settings = run.settings;
  settings.insert(settings.end(), {"--set", "data.assistant_only_loss=false"});
  run.done("calibrate", settings);
  const ProgramEnd end = run.done("evaluate", settings);
  CHECK_THAT(end.err,
             Contains("no sample is answered") && Contains("data.assistant_only_loss: false"));
}
