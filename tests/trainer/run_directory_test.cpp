#include "trainer/run_directory.h"

#include <nlohmann/json.hpp>

#include "data/base/error.h"
#include "data/base/file.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"
#include "trainer/recipe.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;
namespace fs = std::filesystem;

namespace {

Recipe recipe_in(const TemporaryDirectory& folder) {
  Recipe recipe;
  recipe.model.path = "m";
  recipe.data.train = "d";
  recipe.train.output_dir = folder / "run";
  return recipe;
}

}  // namespace

TEST_CASE("The resolved recipe lies in the run's directory, ready to rerun", "[trainer][run]") {
  const TemporaryDirectory folder;
  const Recipe recipe = recipe_in(folder);
  const RunDirectory directory(recipe);
  CHECK(load_recipe(folder / "run/recipe.resolved.yaml") == recipe);
}

TEST_CASE("A directory of another recipe is refused with the difference", "[trainer][run]") {
  const TemporaryDirectory folder;
  const Recipe recipe = recipe_in(folder);
  { const RunDirectory directory(recipe); }
  const auto refusal = [&](const auto& change) {
    Recipe other = recipe;
    change(other);
    CHECK_THROWS_AS(RunDirectory(other), UsageError);
    return error_message([&] { RunDirectory{other}; });
  };
  const std::string start = (folder / "run").string() + ": made by another recipe: ";
  const std::string end = "; --restart starts anew";
  CHECK(refusal([](Recipe& r) { r.loss.kl = 0.5; }) ==
        start + "\"  kl: 1\" there, \"  kl: 0.5\" here" + end);
  CHECK(refusal([](Recipe& r) { r.seed = 7; }) ==
        start + "\"seed: 0\" there, \"seed: 7\" here" + end);
  CHECK(refusal([](Recipe& r) { r.train.max_steps = 100; }) ==
        start + "\"  max_steps: 200\" there, \"  max_steps: 100\" here" + end);
  CHECK(load_recipe(folder / "run/recipe.resolved.yaml") == recipe);  // untouched
}

TEST_CASE("A larger max_steps and what training does not depend on go on", "[trainer][run]") {
  const TemporaryDirectory folder;
  Recipe recipe = recipe_in(folder);
  { const RunDirectory directory(recipe); }
  recipe.train.max_steps = 300;
  recipe.evaluate.num_tokens = 5;
  recipe.export_.output_dir = "elsewhere";
  recipe.num_threads = 3;
  recipe.compute = quant::Compute::kSimulate;
  recipe.train.gradient_checkpointing = true;
  recipe.train.report_to = ReportTo::kNone;
  { const RunDirectory directory(recipe); }
  CHECK(load_recipe(folder / "run/recipe.resolved.yaml") == recipe);
}

TEST_CASE("Reading a run leaves its recipe as it is", "[trainer][run]") {
  const TemporaryDirectory folder;
  const Recipe recipe = recipe_in(folder);
  CHECK_THAT(error_message([&] { RunDirectory(recipe, RunAccess::kRead); }),
             Catch::Contains("no run there; run `dualpath calibrate`"));
  CHECK_FALSE(fs::exists(folder / "run"));
  { const RunDirectory directory(recipe); }
  Recipe longer = recipe;
  longer.train.max_steps = 300;
  { const RunDirectory directory(longer, RunAccess::kRead); }
  CHECK(load_recipe(folder / "run/recipe.resolved.yaml") == recipe);
}

TEST_CASE("A second run on the same directory is refused until the first ends", "[trainer][run]") {
  const TemporaryDirectory folder;
  const Recipe recipe = recipe_in(folder);
  {
    const RunDirectory first(recipe);
    CHECK_THAT(error_message([&] { RunDirectory{recipe}; }),
               Catch::Contains("another dualpath run (pid " + std::to_string(::getpid()) + ")"));
    CHECK_THAT(error_message([&] { RunDirectory(recipe, RunAccess::kRestart); }),
               Catch::Contains("another dualpath run"));
    CHECK(fs::exists(folder / "run/recipe.resolved.yaml"));
  }
  CHECK_NOTHROW(RunDirectory(recipe));
}

TEST_CASE("A restart removes what another recipe left", "[trainer][run]") {
  const TemporaryDirectory folder;
  Recipe recipe = recipe_in(folder);
  { const RunDirectory directory(recipe); }
  fs::create_directories(folder / "run/checkpoint-8");
  fs::create_directories(folder / "run/control/checkpoint-8");
  recipe.seed = 7;
  const RunDirectory directory(recipe, RunAccess::kRestart);
  CHECK_FALSE(fs::exists(folder / "run/checkpoint-8"));
  CHECK_FALSE(fs::exists(directory.control()));
  CHECK(load_recipe(folder / "run/recipe.resolved.yaml") == recipe);
}

TEST_CASE("What killed runs left half-written is removed", "[trainer][run]") {
  const TemporaryDirectory folder;
  fs::create_directories(folder / "run/checkpoint-2.tmp-77");
  fs::create_directories(folder / "run/control/checkpoint-2.tmp-77");
  fs::create_directories(folder / "run/checkpoint-1");
  const RunDirectory directory(recipe_in(folder));
  CHECK_FALSE(fs::exists(folder / "run/checkpoint-2.tmp-77"));
  CHECK_FALSE(fs::exists(folder / "run/control/checkpoint-2.tmp-77"));
  CHECK(fs::exists(folder / "run/checkpoint-1"));
}

TEST_CASE("A section of the report leaves the others as they are", "[trainer][run]") {
  const TemporaryDirectory folder;
  const RunDirectory directory(recipe_in(folder));
  directory.update_report("training", {{"steps", 8}});
  directory.update_report("evaluation", {{"kl", 0.5}});
  directory.update_report("training", {{"steps", 9}});
  CHECK(nlohmann::json::parse(read_file(directory.report())) ==
        nlohmann::json{{"training", {{"steps", 9}}}, {"evaluation", {{"kl", 0.5}}}});
}

TEST_CASE("A directory that cannot be made is an Error with the full path", "[trainer][run]") {
  const TemporaryDirectory folder;
  write_plain(folder / "run", "a file");
  CHECK_THAT(error_message([&] { RunDirectory{recipe_in(folder)}; }),
             Catch::StartsWith((folder / "run").string() + ": cannot create: "));
}
