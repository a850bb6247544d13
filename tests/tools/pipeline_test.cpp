#include <fmt/format.h>

#include <cstring>
#include <deque>
#include <nlohmann/json.hpp>
#include <span>

#include "data/formats/safetensors.h"
#include "data/formats/safetensors_writer.h"
#include "quant/stored/layout.h"
#include "tests/support/catch.h"
#include "tests/tools/tiny_run.h"

using namespace dualpath;
using namespace dualpath::testing;
using Catch::Contains;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

json result(const TinyRun& run, const std::string& command, Arguments more = {}) {
  more.push_back("--json");
  return json::parse(run.done(command, more).out);
}

/// Writes a calibration again with scales twice as large, and ranges that stay.
void double_scales(const fs::path& file) {
  std::vector<std::pair<std::string, data::TensorView>> tensors;
  std::deque<float> doubled;
  const data::SafetensorsReader reader(file);
  for (const std::string& name : reader.names()) {
    data::TensorView tensor = reader.tensor(name);
    if (name.ends_with(".scale")) {
      float& scale = doubled.emplace_back();
      std::memcpy(&scale, tensor.bytes.data(), sizeof(scale));
      scale *= 2;
      tensor.bytes = std::as_bytes(std::span(&scale, 1));
    }
    tensors.emplace_back(name, tensor);
  }
  data::write_safetensors(file, tensors, reader.metadata());
}

}  // namespace

TEST_CASE("a recipe goes from a model to a table and an export", "[tools][pipeline]") {
  const TinyRun run;
  const json plan = result(run, "plan");
  CHECK(result(run, "calibrate")["sites"].size() == 12);
  const json training = result(run, "train");
  CHECK(training["train"]["steps"] == 8);
  CHECK(training["control"]["ce"] > 0);
  CHECK(training["selection"]["stages"] == 3);

  const json table = result(run, "evaluate");
  for (const char* set : {"in_domain", "out_of_domain"}) {
    for (const char* row : {"fp", "quantized", "corrected", "control"}) {
      const json& figures = table["sets"][set][row];
      CHECK(figures["tokens"] >= 300);
      CHECK(figures["perplexity"] > 1);
      for (const char* share : {"accuracy", "agreement"}) {
        CHECK(figures[share] >= 0);
        CHECK(figures[share] <= 1);
      }
    }
    CHECK(table["sets"][set]["fp"]["kl"] == 0);
    CHECK(table["sets"][set]["fp"]["agreement"] == 1);
    CHECK(table["sets"][set]["quantized"]["kl"] > 0.1);  // outliers are hard to quantize
    CHECK(table["sets"][set]["recovery"]["corrected"].contains("kl"));
  }
  CHECK(table["sets"]["in_domain"]["quantized"]["bytes"] == plan["bytes"]["quantized"]);
  CHECK_THAT(run.done("evaluate").out, Contains("out_of_domain") && Contains("\ncontrol ") &&
                                           Contains("\nrecovered, corrected:"));

  CHECK(result(run, "export")["weight_bytes"] == plan["bytes"]["quantized"]);
  const json report = json::parse(read_file(run / "run/report.json"));
  for (const char* section : {"calibration", "training", "evaluation", "export"}) {
    CHECK(report.contains(section));
  }
  CHECK(report["evaluation"]["sets"] == table["sets"]);
}

TEST_CASE("a smoothed model has rows of its own and goes through training, export and reload",
          "[tools][pipeline]") {
  const TinyRun run;
  const Arguments smoothed{"--set", "quantize.smoothing={search: true}", "--set",
                           "quantize.kv_cache_scheme={}"};
  const auto with = [&](const std::string& more) {
    Arguments arguments = smoothed;
    arguments.push_back(more);
    return arguments;
  };
  const json plan = result(run, "plan", smoothed);
  CHECK(plan["smoothed"].size() == 12);
  CHECK(plan["cache_bytes_per_token"]["quantized"].get<int>() * 4 ==
        plan["cache_bytes_per_token"]["fp"].get<int>());
  CHECK_THAT(run.done("calibrate", smoothed).out,
             Contains("strength") && Contains("self_attn.key.0"));
  run.done("train", smoothed);
  const json sets = result(run, "evaluate", smoothed)["sets"];
  for (const char* set : {"in_domain", "out_of_domain"}) {
    const json& rows = sets[set];
    CHECK(rows["smoothed"]["kl"] < rows["quantized"]["kl"]);
    CHECK(rows.contains("smoothed_corrected"));
    CHECK_FALSE(rows.contains("corrected"));
    CHECK(rows["smoothed"]["bytes"] == plan["bytes"]["quantized"]);
    for (const char* row : {"smoothed", "smoothed_corrected"})
      CHECK(rows["recovery"][row].contains("kl"));
  }
  CHECK(result(run, "export", smoothed)["weight_bytes"] == plan["bytes"]["quantized"]);
  const json reloaded = result(run, "evaluate", {"--set", "model.path=export"})["sets"];
  for (const char* set : {"in_domain", "out_of_domain"}) {
    for (const char* figure : {"perplexity", "accuracy", "bytes"}) {
      CHECK(reloaded[set]["quantized"][figure] == sets[set]["smoothed"][figure]);
      CHECK(reloaded[set]["corrected"][figure] == sets[set]["smoothed_corrected"][figure]);
    }
  }
  CHECK_THAT(run.run("evaluate", with("--set=quantize.smoothing=null")).err,
             Contains("made by another recipe"));
}

TEST_CASE("a run's page is whole after training, and has the table after evaluation",
          "[tools][pipeline]") {
  const TinyRun run;
  const auto page = [&] {
    const ProgramEnd parsed = run_program({{DUALPATH_PYTHON, "-c",
                                            "import sys, xml.etree.ElementTree as e; "
                                            "e.parse(sys.argv[1])",
                                            (run / "run/report.html").string()}});
    CHECK(parsed.err == "");
    return read_file(run / "run/report.html");
  };
  run.done("train");
  const json sqnr = json::parse(read_file(run / "run/report.json"))["sqnr"]["linears"];
  REQUIRE(sqnr.size() == 3 * 7);
  CHECK(sqnr[0]["linear"] == "model.layers.0.self_attn.q_proj");
  for (const json& linear : sqnr) {
    CHECK(linear["sqnr_db"] > 5);
    CHECK(linear["sqnr_db"] < 60);
  }
  CHECK_THAT(page(), Contains("Not evaluated yet") &&
                         Contains("<title>model.layers.2.mlp.down_proj: ") &&
                         Contains("max_steps: 8"));
  const json fp = result(run, "evaluate")["sets"]["in_domain"]["fp"];
  CHECK_THAT(page(), Contains("<td>fp</td><td>" +
                              fmt::format("{:.2f}", fp["perplexity"].get<double>()) + "</td>"));
}

TEST_CASE("with dynamic inputs nothing is calibrated, and the rest goes its way",
          "[tools][pipeline]") {
  const Arguments dynamic{
      "--set", "quantize.config_groups.g.input_activations={strategy: token, dynamic: true}"};
  const TinyRun run;
  const json plan = result(run, "plan", dynamic);
  CHECK(plan["sites"][0]["input_activations"] == "int8 token dynamic");
  CHECK(plan["prediction"]["seconds"]["calibrate"] == 0);
  CHECK_THAT(run.done("calibrate", dynamic).out, Contains("no scale to calibrate"));
  CHECK(result(run, "calibrate", dynamic)["sites"] == json::object());
  for (const char* command : {"train", "evaluate", "export"}) run.done(command, dynamic);
  const json report = json::parse(read_file(run / "run/report.json"));
  CHECK(report["calibration"]["sites"] == 0);
  CHECK(report["export"]["weight_bytes"] == plan["bytes"]["quantized"]);
  const json& in_domain = report["evaluation"]["sets"]["in_domain"];
  const json of_export = result(run, "evaluate", {"--set", "model.path=export"});
  CHECK(of_export["sets"]["in_domain"]["corrected"]["perplexity"] ==
        in_domain["corrected"]["perplexity"]);
}

TEST_CASE("the same recipe gives the same bytes", "[tools][pipeline]") {
  const TinyRun one, two;
  for (const char* command : {"train", "evaluate", "export"}) {
    one.done(command);
    two.done(command);
  }
  CHECK(one.results() == two.results());

  const TinyRun other;
  other.done("train", {"--set", "seed=1"});
  const std::string trained = "run/checkpoint-8/trained.safetensors";
  CHECK(other.results().at(trained) != one.results().at(trained));
}

TEST_CASE("gradient checkpointing changes no byte of what is trained", "[tools][pipeline]") {
  const TinyRun one, two;
  one.done("train");
  two.done("train", {"--set", "train.gradient_checkpointing=true"});
  for (const char* folder : {"run", "run/control"}) {
    const std::string trained = std::string(folder) + "/checkpoint-8/trained.safetensors";
    CHECK(two.results().at(trained) == one.results().at(trained));
  }
}

TEST_CASE("commands that have nothing left to do change nothing", "[tools][pipeline]") {
  const TinyRun run;
  const Arguments commands{"train", "evaluate", "export"};
  for (const std::string& command : commands) run.done(command);
  const auto before = run.results();
  for (const std::string& command : commands) run.done(command);
  CHECK(run.results() == before);
}

TEST_CASE("evaluate gives an export the figures of the run it came from", "[tools][pipeline]") {
  const std::string rates =
      GENERATE("{}", "{activation_scales: 0.01, norm_weights: 0.001}", "{weights: 0.0001}");
  const Arguments set{"--set", "train.learning_rate=" + rates};
  const TinyRun run;
  for (const char* command : {"train", "evaluate", "export"}) run.done(command, set);
  const json of_run = json::parse(read_file(run / "run/report.json"))["evaluation"]["sets"];
  const json of_export = result(run, "evaluate", {"--set", "model.path=export"})["sets"];
  for (const char* name : {"in_domain", "out_of_domain"}) {
    for (const char* figure : {"perplexity", "accuracy", "tokens", "bytes"}) {
      INFO(name << " " << figure);
      CHECK(of_export[name]["corrected"][figure] == of_run[name]["corrected"][figure]);
      // The run's row is the model before any training, scales and norms included.
      if (rates == "{}") {
        CHECK(of_export[name]["quantized"][figure] == of_run[name]["quantized"][figure]);
      }
    }
    CHECK(of_export[name]["quantized"]["kl"].is_null());  // there is no float model to compare with
  }
  const ProgramEnd trained = run.run("train", {"--set", "model.path=export"});
  CHECK(trained.code == 1);
  CHECK_THAT(trained.err, Contains("export: is quantized already"));
  CHECK(run_dualpath({"inspect", (run / "export").string()}).code == 0);
  const json report = json::parse(read_file(run / "run/report.json"));
  CHECK(report["prediction"]["export_bytes"] == report["export"]["weight_bytes"]);
}

TEST_CASE("a damaged export is named", "[tools][pipeline]") {
  const TinyRun run;
  for (const char* command : {"train", "export"}) run.done(command);
  const fs::path file = run / "export/correction.json";
  fs::resize_file(file, fs::file_size(file) + 1);
  const ProgramEnd end = run.run("evaluate", {"--set", "model.path=export"});
  CHECK(end.code == 1);
  CHECK_THAT(end.err, Contains("export/correction.json: damaged"));
  const ProgramEnd inspected = run_dualpath({"inspect", (run / "export").string()});
  CHECK(inspected.code == 1);
  CHECK_THAT(inspected.err, Contains("export/correction.json: damaged"));
}

TEST_CASE("without training there is a quantized row, and an export without corrections",
          "[tools][pipeline]") {
  const TinyRun run;
  run.done("calibrate");
  const json set = result(run, "evaluate")["sets"]["in_domain"];
  CHECK(set.contains("quantized"));
  CHECK_FALSE(set.contains("corrected"));
  CHECK_FALSE(set.contains("control"));
  run.done("export");
  const json exported =
      result(run, "evaluate", {"--set", "model.path=export"})["sets"]["in_domain"];
  CHECK(exported["quantized"]["perplexity"] == set["quantized"]["perplexity"]);
  CHECK(exported["corrected"]["perplexity"] == set["quantized"]["perplexity"]);
}

TEST_CASE("a larger max_steps goes on, another recipe is refused with the difference",
          "[tools][pipeline]") {
  const TinyRun run;
  run.done("train");
  const json more = result(run, "train", {"--set", "train.max_steps=12"});
  CHECK(more["train"]["resumed_from"] == 8);
  CHECK(more["train"]["steps"] == 12);

  const ProgramEnd other = run.run("train", {"--set", "loss.kl=2", "--set", "train.max_steps=12"});
  CHECK(other.code == 2);
  CHECK_THAT(other.err, Contains("run: made by another recipe: ") && Contains("kl: 1") &&
                            Contains("kl: 2") && Contains("--restart"));
  const json anew = result(run, "train", {"--set", "loss.kl=2", "--restart"});
  CHECK(anew["train"]["resumed_from"] == 0);
}

TEST_CASE("a finished run is used with moved inputs, and on other text", "[tools][pipeline]") {
  const TinyRun run;
  run.done("train");
  const json before = result(run, "evaluate")["sets"];
  for (const char* name : {"model", "book.jsonl"})
    fs::rename(run / name, run / ("moved-" + std::string(name)));
  const Arguments moved{"--set", "model.path=" + (run / "moved-model").string(), "--set",
                        "data.train=moved-book.jsonl"};
  const auto with = [&](Arguments more) {
    more.insert(more.begin(), moved.begin(), moved.end());
    return more;
  };
  CHECK(result(run, "evaluate", with({}))["sets"] == before);
  const json other =
      result(run, "evaluate", with({"--set", "data.out_of_domain=moved-book.jsonl"}));
  CHECK(other["sets"]["in_domain"] == before["in_domain"]);
  CHECK(other["sets"]["out_of_domain"] != before["out_of_domain"]);
  CHECK(result(run, "train", with({"--set", "train.logging_steps=1"}))["train"]["steps"] == 8);
  CHECK(run.done("export", moved).code == 0);
}

TEST_CASE("a run is refused with another model than its own, and stays as it was",
          "[tools][pipeline]") {
  const TinyRun run, other("tied");
  run.done("train");
  const auto before = run.results();
  fs::rename(other / "model", run / "model-2");
  const Arguments changed{"--set", "model.path=model-2"};
  for (const char* command : {"evaluate", "export", "train", "calibrate"}) {
    const ProgramEnd end = run.run(command, changed);
    CHECK(end.code == 1);
    CHECK_THAT(end.err, Contains("made from another model"));
  }
  const ProgramEnd said = run.run("generate", {"--set", "model.path=model-2", "--prompt", "a"});
  CHECK(said.code == 1);
  CHECK_THAT(said.err, Contains("made from another model"));
  CHECK(run.results() == before);
}

TEST_CASE("calibrate prints the scales of calibration.safetensors, which the run computes with",
          "[tools][pipeline]") {
  const TinyRun run;
  const Arguments moving{"--set",
                         "quantize.config_groups={all: {targets: [Linear], input_activations: "
                         "{observer: moving_average}}}"};
  const fs::path file = run / "run/calibration.safetensors";
  const auto scale_in_file = [&](const std::string& site) {
    const data::SafetensorsReader reader(file);
    float scale = 0.0f;
    std::memcpy(&scale, reader.tensor(site + ".scale").bytes.data(), sizeof(scale));
    return scale;
  };
  const auto check_printed = [&] {
    const std::string table = run.done("calibrate", moving).out;
    const json sites = result(run, "calibrate", moving)["sites"];
    REQUIRE(sites.size() == 12);
    for (const auto& [site, printed] : sites.items()) {
      INFO(site);
      const float scale = scale_in_file(site);
      CHECK(printed["scale"].get<float>() == scale);
      CHECK_THAT(table, Contains(fmt::format("{:<44} {:>12.5g} {:>12.5g} {:>12.5g}", site,
                                             printed["min"].get<float>(),
                                             printed["max"].get<float>(), scale)));
    }
  };
  check_printed();
  double_scales(file);  // another observer need not take absmax / 127
  check_printed();
}

TEST_CASE("only the newest save_total_limit checkpoints stay", "[tools][pipeline]") {
  const TinyRun run;
  run.done("train", {"--set", "train.save_total_limit=3"});
  for (const char* folder : {"run", "run/control"}) {
    CHECK_FALSE(fs::exists(run / folder / "checkpoint-2"));
    for (const char* kept : {"checkpoint-4", "checkpoint-6", "checkpoint-8"}) {
      CHECK(fs::exists(run / folder / kept));
    }
  }
}
