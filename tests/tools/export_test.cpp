#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/tools/tiny_run.h"

using namespace dualpath;
using namespace dualpath::testing;

namespace {

/// The report of tests/reference/check_export.py on an export of the run's; its failure fails the
/// test.
nlohmann::json check_export(const TinyRun& run, const std::string& model) {
  const std::string directory = (run / "export").string(),
                    logits = (run / "logits.safetensors").string();
  const std::string ids = "build/reference/tiny_llama/" + model + ".safetensors";
  const ProgramEnd ours = run_program({{DUALPATH_EXPORT_LOGITS, directory, ids, logits}});
  INFO(ours.err);
  REQUIRE(ours.code == 0);
  const ProgramEnd check = run_program(
      {{DUALPATH_PYTHON, "tests/reference/check_export.py", directory, "--logits", logits}});
  INFO(check.err);
  REQUIRE(check.code == 0);
  return nlohmann::json::parse(check.out);
}

}  // namespace

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
