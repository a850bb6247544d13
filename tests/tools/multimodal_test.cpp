#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>
#include <numeric>
#include <span>
#include <sstream>

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

TEST_CASE("without marked answers none is judged, which is said", "[tools][multimodal][judge]") {
  const MultimodalRun run("model", "composition");
  Arguments settings = run.settings;
  settings.insert(settings.end(), {"--set", "data.assistant_only_loss=false"});
  run.done("calibrate", settings);
  const ProgramEnd end = run.done("evaluate", settings);
  CHECK_THAT(end.err,
             Contains("no sample is answered") && Contains("data.assistant_only_loss: false"));
}
