#include <nlohmann/json.hpp>

#include "data/files/file.h"
#include "tests/support/catch.h"
#include "tests/tools/tiny_run.h"

using namespace dualpath;
using namespace dualpath::testing;
using Catch::Contains;
using Catch::StartsWith;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

const Arguments kBlockwise{"--set", "train.strategy=blockwise"};

json plan_of(const TinyRun& run, Arguments settings) {
  settings.emplace_back("--json");
  return json::parse(run.done("plan", settings).out);
}

}  // namespace

TEST_CASE("a model that is trained block by block is evaluated and exported like any other",
          "[tools][strategy]") {
  const TinyRun run;
  const ProgramEnd trained = run.done("train", kBlockwise);
  CHECK_THAT(trained.err, Contains("strategy: blockwise, which takes ") &&
                              Contains("; the control, which is trained end to end, is left out"));
  const json report = json::parse(read_file(run / "run/report.json"));
  CHECK(report["training"]["strategy"] == "blockwise");
  REQUIRE(report["training"]["blocks"].size() == 3);
  CHECK(report["training"]["blocks"][1]["name"] == "model.layers.1");
  CHECK(report["training"]["blocks"][1]["hidden"] > 0.0);
  CHECK(report["prediction"]["peak_resident_bytes"] > 0);
  CHECK_FALSE(fs::exists(run / "run/control"));

  // With auto the run goes on as it began: there is nothing left to do.
  CHECK_THAT(run.done("train").out, Contains("corrections: "));
  const json table = json::parse(run.done("evaluate", {"--json"}).out);
  const json& rows = table["sets"]["out_of_domain"];
  CHECK(rows["corrected"]["kl"] < rows["quantized"]["kl"]);
  CHECK_FALSE(rows.contains("control"));
  CHECK(table["steps"]["corrected"] == 8);
  run.done("export");
  CHECK(fs::exists(run / "export/model.safetensors"));

  const ProgramEnd other = run.run("train", {"--set", "train.strategy=end_to_end"});
  CHECK(other.code == 2);
  CHECK_THAT(other.err, Contains("was begun with train.strategy: blockwise; --restart"));
  CHECK(run.run("train", {"--set", "train.block_size=2"}).code == 2);
}

TEST_CASE("the plan takes what fits, and refuses what does not", "[tools][strategy]") {
  const TinyRun run;
  const json roomy = plan_of(run, {"--set", "memory_limit=1TB"});
  CHECK(roomy["strategy"] == "end_to_end");
  CHECK(roomy["predicted"]["memory_limit"] == 1'000'000'000'000);
  CHECK(roomy["predicted"]["end_to_end_bytes"] > 0);
  CHECK(roomy["predicted"]["blockwise_bytes"] > 0);
  CHECK(roomy["predicted"]["peak_memory_bytes"] > 0);
  CHECK(plan_of(run, kBlockwise)["strategy"] == "blockwise");
  CHECK_THAT(run.done("plan").out, Contains("strategy: end_to_end, which takes "));

  for (const char* command : {"plan", "train"}) {
    const ProgramEnd end = run.run(command, {"--set", "memory_limit=1MB"});
    CHECK(end.code == 2);
    CHECK_THAT(end.err, Contains("training takes at least ") &&
                            Contains(", more than the 1.0 MB of memory_limit"));
  }
}

TEST_CASE("two processes train the blocks on what one would", "[tools][strategy]") {
  const Arguments settings{"--set", "train.strategy=blockwise", "--set", "train.max_steps=4"};
  TinyRun alone, both;
  Arguments one = settings, two = settings;
  one.insert(one.end(), {"--set", "train.per_device_train_batch_size=4"});
  two.insert(two.end(), {"--processes", "2"});
  alone.done("train", one);
  both.done("train", two);
  const auto blocks = [](const TinyRun& run) {
    return json::parse(read_file(run / "run/report.json"))["training"]["blocks"];
  };
  const json a = blocks(alone), b = blocks(both);
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    CHECK(a[i]["loss"].get<double>() == Approx(b[i]["loss"].get<double>()).epsilon(1e-3));
}
