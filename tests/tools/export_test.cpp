#include <nlohmann/json.hpp>

#include "data/files/file.h"
#include "tests/support/catch.h"
#include "tests/tools/export_checker.h"
#include "tests/tools/tiny_run.h"

using namespace dualpath;
using namespace dualpath::testing;

namespace {

/// Returns the report of tests/reference/check_export.py on the run's export. Its failure fails the
/// test.
nlohmann::json check_export(const TinyRun& run, const std::string& model,
                            const std::string& script = "tiny_llama") {
  const std::string directory = (run / "export").string(),
                    logits = (run / "logits.safetensors").string();
  const std::string ids = "build/reference/" + script + "/" + model + ".safetensors";
  const ProgramEnd ours = run_program({{DUALPATH_EXPORT_LOGITS, directory, ids, logits}});
  INFO(ours.err);
  REQUIRE(ours.code == 0);
  nlohmann::json report = ExportChecker::the_one().check(directory, logits);
  INFO(report.value("failure", ""));
  REQUIRE_FALSE(report.contains("failure"));
  return report;
}

Arguments with(Arguments arguments, const std::string& more) {
  arguments.push_back(more);
  return arguments;
}

}  // namespace

TEST_CASE(
    "a run of mixed schemes goes through training, export and reload, and transformers reads it",
    "[tools][export]") {
  const TinyRun run("outliers");
  // Layer 0 has W8A8 attention and a W4A8 MLP by group. Layer 1 is in float but for its cache.
  // Layer 2 is W4A16 without a correction.
  const Arguments mixed{
      "--set",
      "quantize={ignore: [lm_head, 're:model[.]layers[.]1[.].*'], calibration: {num_samples: 6}, "
      "config_groups: {"
      "weight_only: {targets: ['re:model[.]layers[.]2[.].*'], input_activations: null, weights: "
      "{num_bits: 4, strategy: group, group_size: 32, symmetric: false}}, "
      "attention: {targets: ['re:.*self_attn.*']}, "
      "mlp: {weights: {num_bits: 4, strategy: group, group_size: 32}}}, "
      "kv_cache_scheme: {}}",
      "--set", "correction.ignore=[model.layers.2]"};
  const nlohmann::json plan = nlohmann::json::parse(run.done("plan", with(mixed, "--json")).out);
  CHECK(plan["sites"].size() == 14);
  CHECK(plan["sites"][0]["weights"] == "int8 channel");
  CHECK(plan["sites"][4]["weights"] == "int4 group 32");
  CHECK(plan["sites"][7]["weights"] == "int4 group 32 asym");
  CHECK(plan["sites"][7]["input_activations"] == "float");
  run.done("train", mixed);
  const nlohmann::json rows =
      nlohmann::json::parse(run.done("evaluate", with(mixed, "--json")).out)["sets"]["in_domain"];
  run.done("export", mixed);
  const nlohmann::json report = check_export(run, "outliers");
  CHECK(report["linears"] == 14);
  CHECK(report["packed"] == 3 + 7);
  CHECK(report["weight_only"] == 7);
  CHECK(report["dynamic"] == 0);
  // The export opens as the model that was evaluated.
  const nlohmann::json reloaded = nlohmann::json::parse(
      run.done("evaluate", {"--set", "model.path=export", "--json"}).out)["sets"]["in_domain"];
  for (const char* row : {"quantized", "corrected"}) {
    for (const char* figure : {"perplexity", "accuracy", "bytes"})
      CHECK(reloaded[row][figure] == rows[row][figure]);
  }
  const nlohmann::json correction =
      nlohmann::json::parse(read_file(run / "export/correction.json"));
  REQUIRE(correction["stages"].size() == 2);
  CHECK(correction["stages"][0]["name"] == "model.layers.0");
  CHECK(correction["stages"][1]["name"] == "model.layers.1");
}

TEST_CASE("transformers loads weights of few bits", "[tools][export]") {
  const auto [weights, inputs] = GENERATE(table<std::string, std::string>(
      {{"{num_bits: 4}", "{}"},
       {"{num_bits: 4, symmetric: false, strategy: group, group_size: 32}", "null"},
       {"{num_bits: 6, symmetric: false}", "{}"},
       {"{num_bits: 3, strategy: group, group_size: 32}", "null"}}));
  INFO(weights << " " << inputs);
  const Arguments scheme{"--set", "quantize.config_groups.g={weights: " + weights +
                                      ", input_activations: " + inputs + "}"};
  const TinyRun run("tied");
  run.done("train", scheme);
  run.done("export", scheme);
  const nlohmann::json report = check_export(run, "tied");
  CHECK(report["packed"] == 3 * 7);
  CHECK(report["weight_only"] == (inputs == "null" ? 3 * 7 : 0));
}

TEST_CASE("transformers loads an export and computes what our INT8 model does", "[tools][export]") {
  const std::string model = GENERATE("tied", "outliers", "untied_sharded");
  const std::string inputs = GENERATE("{}", "{strategy: token, dynamic: true}");
  const Arguments scheme{"--set", "quantize.config_groups.g.input_activations=" + inputs};
  const TinyRun run(model);
  run.done("train", scheme);
  run.done("export", scheme);
  const nlohmann::json report = check_export(run, model);
  CHECK(report["linears"] == (model == "untied_sharded" ? 2 : 3) * 7);
  CHECK(report["lock_step"]["kl"] <= 1e-4);
  CHECK(report["lock_step"]["agreement"] >= 0.999);
  CHECK(report["dynamic"] == (inputs == "{}" ? 0 : report["linears"].get<int>()));
}

TEST_CASE("transformers loads an export of every family and computes what our INT8 model does",
          "[tools][export]") {
  const auto [family, linears, smoothing] =
      GENERATE(table<std::string, int, std::string>({{"glm4", 6, "null"},
                                                     {"glm4", 6, "{search: true}"},
                                                     {"glm", 6, "null"},
                                                     {"qwen2", 7, "null"},
                                                     {"qwen3", 7, "null"}}));
  INFO(family << " " << smoothing);
  // With 6 windows one of Qwen3's inputs lies at a tie. Its flipped code would be in a key that all
  // later tokens see.
  const Arguments calibration{"--set", "quantize.calibration.num_samples=5", "--set",
                              "quantize.smoothing=" + smoothing};
  const TinyRun run(family, "tiny_families");
  run.done("train", calibration);
  const std::string table = run.done("evaluate", with(calibration, "--json")).out;
  run.done("export", calibration);
  const nlohmann::json report = check_export(run, family, "tiny_families");
  CHECK(report["linears"] == 3 * linears);
  CHECK(report["lock_step"]["kl"] <= 1e-4);
  CHECK(report["lock_step"]["agreement"] >= 0.999);
  // The export opens as the model that was evaluated; it has no other INT8 model beside it.
  const nlohmann::json rows = nlohmann::json::parse(table)["sets"]["in_domain"];
  const nlohmann::json reloaded = nlohmann::json::parse(
      run.done("evaluate", {"--set", "model.path=export", "--json"}).out)["sets"]["in_domain"];
  const bool smoothed = smoothing != "null";
  for (const auto& [opened, evaluated] :
       {std::pair("quantized", smoothed ? "smoothed" : "quantized"),
        std::pair("corrected", smoothed ? "smoothed_corrected" : "corrected")}) {
    for (const char* figure : {"perplexity", "accuracy"})
      CHECK(reloaded[opened][figure] == rows[evaluated][figure]);
  }
}
