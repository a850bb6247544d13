#include "trainer/report/table_json.h"

#include <catch2/catch.hpp>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "trainer/report/figures.h"

using namespace dualpath::trainer;
using nlohmann::json;

namespace {

constexpr FigureStyle kStyle{.none = "-", .percent = "%"};

EvaluationTable table() {
  const RowFigures fp{
      .name = "fp",
      .bytes = 400,
      .tokens = 300,
      .figures = {{"perplexity", 10.5}, {"accuracy", 0.5}, {"kl", 0.0}, {"agreement", 1.0}}};
  RowFigures corrected = fp;
  corrected.name = "corrected";
  corrected.recovery = Recovery{{"accuracy", {}}, {"kl", Estimate{0.75, 0.5, 1.0}}, {"nll", {}}};
  return {.sets = {{.name = "in_domain", .rows = {fp, corrected}}},
          .window = 32,
          .dtype = "Float",
          .seconds = 1.5,
          .steps = {{"corrected", 8}},
          .fingerprint = "abc"};
}

/// A set of pictures and one of clips, as a model with towers has them.
EvaluationTable table_of_modalities() {
  EvaluationTable made = table();
  SetFigures image = made.sets[0], audio = made.sets[0];
  image.modality = "image";
  image.rows[1].figures["top1"] = 0.25;
  image.rows[1].intervals["top1"] = {0.125, 0.5};
  image.rows[1].recovery->emplace("top1", Estimate{0.5, 0.25, 0.75});
  image.changed = {
      {.reference = "cat", .answers = {{"fp", "cat"}, {"corrected", "dog"}}, .images = {"a.png"}}};
  audio.modality = "audio";
  audio.rows[1].figures["wer"] = 0.375;
  made.sets = {image, audio};
  return made;
}

const Metric& metric_of(const std::string& name) {
  for (const Metric& metric : kMetrics)
    if (metric.name == name) return metric;
  throw std::logic_error(name);
}

/// The cells of a row's metrics of tokens.
std::vector<std::string> cells(const RowFigures& row, const FigureStyle& style) {
  std::vector<std::string> made;
  for (const Metric& metric : shown_metrics({row})) made.push_back(cell_of(row, metric, style));
  return made;
}

}  // namespace

TEST_CASE("a table in JSON has a key for each set and row, and the recoveries beside the rows",
          "[report][table]") {
  const json object = to_json(table());
  const json& set = object["sets"]["in_domain"];
  CHECK(set["fp"] == json{{"perplexity", 10.5},
                          {"accuracy", 0.5},
                          {"kl", 0.0},
                          {"agreement", 1.0},
                          {"bytes", 400},
                          {"tokens", 300}});
  CHECK(set["recovery"] == json{{"corrected",
                                 {{"kl", {{"value", 0.75}, {"low", 0.5}, {"high", 1.0}}},
                                  {"accuracy", nullptr},
                                  {"nll", nullptr}}}});
  CHECK(object["window"] == 32);
  CHECK(object["stride"] == 32);
  CHECK(object["steps"] == json{{"corrected", 8}});
  CHECK(object["fingerprint"] == "abc");
}

TEST_CASE("a run without training has steps that are empty, an export has none",
          "[report][table]") {
  EvaluationTable of_run = table();
  of_run.steps.clear();
  CHECK(to_json(of_run)["steps"] == json::object());
  of_run.fingerprint.reset();
  CHECK_FALSE(to_json(of_run).contains("steps"));
  CHECK_FALSE(to_json(of_run).contains("fingerprint"));
}

TEST_CASE("a set is read back as it was written, its rows as they are shown", "[report][table]") {
  EvaluationTable written = table();
  std::swap(written.sets[0].rows[0], written.sets[0].rows[1]);
  const SetFigures set = read_sets(to_json(written)["sets"]).at(0);
  REQUIRE(set.rows.size() == 2);
  CHECK(set.rows[0].name == "fp");
  CHECK(set.rows[1].name == "corrected");
  CHECK(set.rows[0].figures.at("perplexity") == 10.5);
  CHECK_FALSE(set.rows[0].recovery);
  CHECK(set.rows[1].recovery.value().at("kl").value().low == 0.5);
  CHECK_FALSE(set.rows[1].recovery.value().at("accuracy"));
}

TEST_CASE("what a file cannot hold or nobody measured is shown as none", "[report][table]") {
  EvaluationTable written = table();
  RowFigures& row = written.sets[0].rows[0];
  row.figures["perplexity"] = std::numeric_limits<double>::infinity();
  row.figures.erase("kl");
  row.figures.erase("agreement");
  const json file = json::parse(to_json(written).dump());
  const SetFigures set = read_sets(file["sets"]).at(0);
  CHECK(cells(set.rows[0], kStyle) == std::vector<std::string>{"-", "50.00%", "-", "-"});
}

TEST_CASE("a row's figures have as many decimals in every table", "[report][table]") {
  const RowFigures row{
      .name = "quantized",
      .figures = {{"perplexity", 12.3456}, {"accuracy", 0.372}, {"kl", 0.65}, {"agreement", 0.9}}};
  CHECK(cells(row, kStyle) == std::vector<std::string>{"12.35", "37.20%", "0.6500", "90.00%"});
  CHECK(cells(row, {.none = "–", .percent = " %"})[1] == "37.20 %");
  RowFigures judged = row;
  judged.figures["frames"] = 0.01234;
  judged.figures["wer"] = 1.5;
  CHECK(cells(judged, kStyle) ==
        std::vector<std::string>{"12.35", "37.20%", "0.6500", "90.00%", "0.0123", "150.00%"});
  CHECK(head_of(metric_of("wer")) == "WER");
  CHECK(head_of(metric_of("top5")) == "top5");
}

TEST_CASE("a set of a model with towers has its rows under the samples' modality",
          "[report][table]") {
  const json object = to_json(table_of_modalities())["sets"]["in_domain"];
  CHECK(object["image"]["corrected"]["top1"] == 0.25);
  CHECK(object["image"]["recovery"]["corrected"]["top1"] ==
        json{{"value", 0.5}, {"low", 0.25}, {"high", 0.75}});
  CHECK(object["image"]["intervals"]["corrected"]["top1"] == json{{"low", 0.125}, {"high", 0.5}});
  CHECK(object["image"]["changed"][0]["answers"]["corrected"] == "dog");
  CHECK(object["audio"]["corrected"]["wer"] == 0.375);
  CHECK_FALSE(object["audio"]["corrected"].contains("top1"));
  CHECK_FALSE(object["image"]["fp"].contains("wer"));
  CHECK_FALSE(object.contains("fp"));
}

TEST_CASE("modalities are read back in their order, with what changed", "[report][table]") {
  const auto sets = read_sets(to_json(table_of_modalities())["sets"]);
  REQUIRE(sets.size() == 2);
  CHECK(sets[0].title() == "in_domain image");
  CHECK(sets[1].title() == "in_domain audio");
  REQUIRE(sets[0].changed.size() == 1);
  CHECK(sets[0].changed[0].reference == "cat");
  CHECK(sets[0].changed[0].answers.at("fp") == "cat");
  CHECK(sets[0].changed[0].images == std::vector<std::string>{"a.png"});
  CHECK(sets[0].rows[1].recovery.value().at("top1").value().value == 0.5);
  CHECK(sets[1].changed.empty());
}
