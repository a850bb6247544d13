#include <chrono>
#include <cmath>
#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "data/files/file.h"
#include "tests/support/catch.h"
#include "tests/tools/tiny_run.h"

using namespace dualpath;
using namespace dualpath::testing;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

/// Curves as TensorBoard itself reads them: folder -> tag -> [[step, value], …].
json curves_of(const TinyRun& run) {
  const ProgramEnd end = run_program(
      {{DUALPATH_PYTHON, "tests/reference/read_events.py", (run / "run/runs").string()}});
  INFO(end.err);
  REQUIRE(end.code == 0);
  return json::parse(end.out);
}

/// Curves from one key of a log's lines, as the 32-bit floats that events hold.
json logged(const fs::path& log, const char* key) {
  std::istringstream lines(read_file(log));
  json curve = json::array();
  for (std::string line; std::getline(lines, line);) {
    const json parsed = json::parse(line);
    curve.push_back({parsed["step"], static_cast<double>(parsed[key].get<float>())});
  }
  return curve;
}

const Arguments kEveryStep{"--set", "train.logging_steps=1"};

}  // namespace

TEST_CASE("TensorBoard reads a run that was killed as one curve, each step once",
          "[tools][events]") {
  const TinyRun run;
  // Checkpoints lie at even steps, so the fifth is done twice, and so is the control's seventh.
  REQUIRE(run.run("train", kEveryStep, "train.step:6=kill").signal == SIGKILL);
  REQUIRE(run.run("train", kEveryStep, "train.step:12=kill").signal == SIGKILL);
  run.done("train", kEveryStep);
  run.done("train", kEveryStep);  // has nothing left to do

  const json curves = curves_of(run);
  for (const auto& [name, log] :
       {std::pair{"train", "run/log.jsonl"}, std::pair{"control", "run/control/log.jsonl"}}) {
    const json& curve = curves.at(name);
    for (const auto& [tag, key] :
         {std::pair{"train/loss", "loss"}, std::pair{"train/loss_kl", "kl"},
          std::pair{"train/loss_ce", "ce"}, std::pair{"train/loss_hidden", "hidden"},
          std::pair{"train/learning_rate", "learning_rate"},
          std::pair{"train/grad_norm", "grad_norm"}}) {
      INFO(name << " " << tag);
      CHECK(curve.at(tag).size() == 8);
      CHECK(curve.at(tag) == logged(run / log, key));
    }
    for (const int layer : {0, 1, 2}) {
      const json& norms = curve.at("correction/model.layers." + std::to_string(layer) + "/norm");
      CHECK(norms.size() == 8);
      CHECK(norms.front()[1] > 0);  // it was the identity before its first step
    }
  }
}

TEST_CASE("a clock that was set back changes nothing of a run that goes on", "[tools][events]") {
  const TinyRun unbroken, run;
  unbroken.done("train", kEveryStep);
  REQUIRE(run.run("train", kEveryStep, "train.step:6=kill").signal == SIGKILL);
  // All that the first part wrote comes from tomorrow.
  constexpr int kDay = 24 * 60 * 60;
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(run / "run")) files.push_back(entry);
  for (const fs::path& file : files) {
    fs::last_write_time(file, fs::last_write_time(file) + std::chrono::seconds(kDay));
    const std::string name = file.filename().string(), prefix = "events.out.tfevents.";
    if (!name.starts_with(prefix)) continue;
    const std::string rest = name.substr(name.find('.', prefix.size()));
    const auto seconds = std::stoll(name.substr(prefix.size())) + kDay;
    fs::rename(file, file.parent_path() / (prefix + std::to_string(seconds) + rest));
  }
  run.done("train", kEveryStep);
  CHECK(run.results() == unbroken.results());
  CHECK(curves_of(run).at("train").at("train/loss") == logged(run / "run/log.jsonl", "loss"));
}

TEST_CASE("TensorBoard shows the rows of an evaluation at their step, once", "[tools][events]") {
  const TinyRun run;
  run.done("train");
  run.done("evaluate");
  run.done("evaluate");
  const json curves = curves_of(run);
  const json report = json::parse(read_file(run / "run/report.json"));
  const auto only = [](const json& events) {
    REQUIRE(events.size() == 1);
    CHECK(events[0][0] == 8);
    return events[0][1].get<double>();
  };
  for (const char* row : {"fp", "quantized", "corrected", "control"}) {
    const json& curve = curves.at(std::string("eval/") + row);
    const json& figures = report["evaluation"]["sets"];
    const auto loss = [&](const char* set) {
      return std::log(figures[set][row]["perplexity"].get<double>());
    };
    CHECK(only(curve["eval/loss"]) == Approx(loss("in_domain")));
    CHECK(only(curve["eval/out_of_domain_loss"]) == Approx(loss("out_of_domain")));
    CHECK(only(curve["eval/kl"]) == Approx(figures["in_domain"][row]["kl"].get<double>()));
  }
  REQUIRE(curves.at("quant").size() == report["sqnr"]["linears"].size());
  for (const json& linear : report["sqnr"]["linears"]) {
    const std::string tag = "quant/" + linear["linear"].get<std::string>() + "/sqnr_db";
    CHECK(only(curves["quant"].at(tag)) == Approx(linear["sqnr_db"].get<double>()));
  }
}

TEST_CASE("report_to: none writes no event file", "[tools][events]") {
  const TinyRun run;
  const Arguments none{"--set", "train.report_to=none"};
  run.done("train", none);
  run.done("evaluate", none);
  CHECK_FALSE(fs::exists(run / "run/runs"));
}
