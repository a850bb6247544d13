#include "trainer/report/table_json.h"

#include <catch2/catch.hpp>
#include <limits>
#include <nlohmann/json.hpp>

#include "trainer/report/figures.h"

using namespace dualpath::trainer;
using nlohmann::json;

namespace {

constexpr FigureStyle kStyle{.none = "-", .percent = "%"};

EvaluationTable table() {
  const RowFigures fp{.name = "fp",
                      .perplexity = 10.5,
                      .accuracy = 0.5,
                      .kl = 0.0,
                      .agreement = 1.0,
                      .bytes = 400,
                      .tokens = 300};
  RowFigures corrected = fp;
  corrected.name = "corrected";
  corrected.recovery = Recovery{.accuracy = {}, .kl = Estimate{0.75, 0.5, 1.0}, .nll = {}};
  return {.sets = {{"in_domain", {fp, corrected}}},
          .window = 32,
          .dtype = "Float",
          .seconds = 1.5,
          .steps = {{"corrected", 8}},
          .fingerprint = "abc"};
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
  const SetFigures set = read_set("in_domain", to_json(written)["sets"]["in_domain"]);
  REQUIRE(set.rows.size() == 2);
  CHECK(set.rows[0].name == "fp");
  CHECK(set.rows[1].name == "corrected");
  CHECK(set.rows[0].perplexity == 10.5);
  CHECK_FALSE(set.rows[0].recovery);
  CHECK(set.rows[1].recovery.value().kl.value().low == 0.5);
  CHECK_FALSE(set.rows[1].recovery.value().accuracy);
}

TEST_CASE("what a file cannot hold or nobody measured is shown as none", "[report][table]") {
  EvaluationTable written = table();
  RowFigures& row = written.sets[0].rows[0];
  row.perplexity = std::numeric_limits<double>::infinity();
  row.kl = row.agreement = std::nullopt;
  const json file = json::parse(to_json(written).dump());
  const SetFigures set = read_set("in_domain", file["sets"]["in_domain"]);
  CHECK(quality_cells(set.rows[0], kStyle) == std::vector<std::string>{"-", "50.00%", "-", "-"});
}

TEST_CASE("a row's quality has as many decimals in every table", "[report][table]") {
  const RowFigures row{
      .name = "quantized", .perplexity = 12.3456, .accuracy = 0.372, .kl = 0.65, .agreement = 0.9};
  CHECK(quality_cells(row, kStyle) ==
        std::vector<std::string>{"12.35", "37.20%", "0.6500", "90.00%"});
  CHECK(quality_cells(row, {.none = "–", .percent = " %"})[1] == "37.20 %");
  CHECK(quality_heads().size() == 4);
}
