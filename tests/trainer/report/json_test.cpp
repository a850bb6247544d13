#include "trainer/report/json.h"

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"

using namespace dualpath;
using namespace dualpath::trainer;
using modules::Modality;
using nlohmann::json;

namespace {

/// Two groups whose scales are not what absmax / 127 of their ranges would be.
quant::Calibration calibration() {
  quant::Calibration calibration;
  const quant::ObservedRange range{.min = -127.0f, .max = 1.0f, .count = 5};
  calibration.ranges = {{"a", range}, {"b", range}};
  calibration.modality_ranges = {{"a", {{Modality::kText, range}}},
                                 {"b", {{Modality::kText, range}, {Modality::kImage, range}}}};
  calibration.scale_tensors = {{"a", torch::tensor({0.25f})},
                               {"b.text", torch::tensor({0.5f})},
                               {"b.image", torch::tensor({0.125f})}};
  return calibration;
}

}  // namespace

TEST_CASE("a calibration in JSON has the scales that it holds, not some of its ranges",
          "[trainer][report]") {
  const json sites = to_json(calibration())["sites"];
  CHECK(sites["a"] == json{{"min", -127.0}, {"max", 1.0}, {"count", 5}, {"scale", 0.25}});
  CHECK_FALSE(sites["b"].contains("scale"));
  CHECK(sites["b"]["modalities"]["text"]["scale"] == 0.5);
  CHECK(sites["b"]["modalities"]["image"]["scale"] == 0.125);
}

TEST_CASE("a modality that shares its group's scale has a range alone", "[trainer][report]") {
  quant::Calibration shared = calibration();
  shared.scale_tensors = {{"a", torch::tensor({0.25f})}, {"b", torch::tensor({0.5f})}};
  const json site = to_json(shared)["sites"]["b"];
  CHECK(site["scale"] == 0.5);
  CHECK(site["modalities"]["image"] == json{{"min", -127.0}, {"max", 1.0}, {"count", 5}});
}

TEST_CASE("a loop's result is read back from a report as it was written", "[trainer][report]") {
  const LoopResult result{
      .steps = 8, .resumed = 2, .seconds = 0.25, .last = {.step = 8, .loss = 1.5, .ce = 2.0}};
  const json object = to_json(result);
  CHECK(object["kl"].is_null());
  CHECK(object["resumed_from"] == 2);
  const LoopResult read = read_loop_result(object);
  CHECK(read.steps == 8);
  CHECK(read.resumed == 2);
  CHECK(read.seconds == 0.25);
  CHECK(read.last == result.last);
}

TEST_CASE("a training in JSON says which stages were dropped and which came closer",
          "[trainer][report]") {
  const json object = to_json(
      TrainingResult{.selection = {{.stage = "a", .before = 2, .after = 1, .kept = true},
                                   {.stage = "b", .before = 1, .after = 2, .kept = false}}});
  CHECK(object["selection"] == json{{"stages", 2}, {"dropped", {"b"}}, {"closer", {"a"}}});
  CHECK_FALSE(object.contains("control"));
}

TEST_CASE("a prediction without weights has sizes but no times", "[trainer][report]") {
  Prediction prediction;
  prediction.exported = {{.name = "a", .shape = {2}, .dtype = "F32", .bytes = 8},
                         {.name = "b", .shape = {3}, .dtype = "I8", .bytes = 3, .scheme = "all"}};
  const json object = to_json(prediction);
  CHECK(object["export_bytes"] == 11);
  CHECK(object["seconds"].is_null());
  CHECK(object["peak_resident_bytes"].is_null());
  CHECK(bytes_by_scheme(prediction) == std::map<std::string, std::int64_t>{{"", 8}, {"all", 3}});
}
