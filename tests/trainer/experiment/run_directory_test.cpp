#include "trainer/experiment/run_directory.h"

#include <csignal>
#include <nlohmann/json.hpp>
#include <set>

#include "data/base/error.h"
#include "data/files/file.h"
#include "tests/support/catch.h"
#include "tests/support/child_process.h"
#include "tests/support/error_message.h"
#include "tests/support/full_disk.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"
#include "trainer/experiment/output_places.h"
#include "trainer/recipe/recipe.h"

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

using Names = std::set<std::string>;

Names names_in(const fs::path& directory) {
  Names names;
  for (const auto& entry : fs::directory_iterator(directory))
    names.insert(entry.path().filename().string());
  return names;
}

/// All kinds of files that a run of this recipe leaves.
void make_old_run(const Recipe& recipe) {
  const RunDirectory directory(recipe);
  directory.update_report("training", {{"steps", 8}});
  for (const char* name : {"calibration.safetensors", "log.jsonl", "selection.json", "report.html",
                           "checkpoint-8/trained.safetensors", "checkpoint-8/state.json",
                           "control/log.jsonl", "control/checkpoint-8/optimizer.safetensors"}) {
    fs::create_directories((directory.path() / name).parent_path());
    write_plain(directory.path() / name, "old");
  }
}

}  // namespace

TEST_CASE("the resolved recipe lies in the run's directory, ready to rerun", "[trainer][run]") {
  const TemporaryDirectory folder;
  const Recipe recipe = recipe_in(folder);
  const RunDirectory directory(recipe);
  CHECK(load_recipe(folder / "run/recipe.resolved.yaml") == recipe);
}

TEST_CASE("a directory of another recipe is refused with the difference", "[trainer][run]") {
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
  CHECK(refusal([](Recipe& r) { r.data.window = 64; }) ==
        start + "\"  window: 256\" there, \"  window: 64\" here" + end);
  CHECK(refusal([](Recipe& r) { r.train.max_steps = 100; }) ==
        start + "\"  max_steps: 200\" there, \"  max_steps: 100\" here" + end);
  CHECK(load_recipe(folder / "run/recipe.resolved.yaml") == recipe);  // untouched
}

TEST_CASE("a larger max_steps and what training does not depend on go on", "[trainer][run]") {
  const TemporaryDirectory folder;
  Recipe recipe = recipe_in(folder);
  { const RunDirectory directory(recipe); }
  recipe.model.path = "moved";
  recipe.data.train = "moved.jsonl";
  recipe.data.out_of_domain = "another.jsonl";
  recipe.train.max_steps = 300;
  recipe.train.save_steps = 7;
  recipe.train.save_total_limit = 9;
  recipe.train.logging_steps = 1;
  recipe.evaluate.num_tokens = 5;
  recipe.export_.output_dir = "elsewhere";
  recipe.num_threads = 3;
  recipe.device = at::kCUDA;
  recipe.compute = quant::Compute::kSimulate;
  recipe.train.gradient_checkpointing = true;
  recipe.train.report_to = ReportTo::kNone;
  const RunDirectory directory(recipe);
  // Unchanged until the run's inputs have been seen.
  CHECK(load_recipe(directory.resolved_recipe()) != recipe);
  directory.keep_recipe();
  CHECK(load_recipe(directory.resolved_recipe()) == recipe);
}

TEST_CASE("reading a run leaves its recipe as it is", "[trainer][run]") {
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

TEST_CASE("a second run on the same directory is refused until the first ends", "[trainer][run]") {
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

TEST_CASE("a restart removes what another recipe left once it has a calibration",
          "[trainer][run]") {
  const TemporaryDirectory folder;
  Recipe recipe = recipe_in(folder);
  make_old_run(recipe);
  recipe.seed = 7;
  {
    const RunDirectory directory(recipe, RunAccess::kRestart);
    CHECK_FALSE(fs::exists(directory.path() / "checkpoint-8"));
    CHECK_FALSE(fs::exists(directory.control()));
    CHECK(load_recipe(directory.resolved_recipe()) == recipe);
    write_plain(directory.calibration(), "new");
  }
  CHECK(load_recipe(folder / "run/recipe.resolved.yaml") == recipe);
  CHECK(names_in(folder / "run") ==
        Names{".lock", "calibration.safetensors", "recipe.resolved.yaml"});
}

TEST_CASE("a restart that comes to nothing leaves the run before it as it was", "[trainer][run]") {
  const TemporaryDirectory folder;
  Recipe recipe = recipe_in(folder);
  make_old_run(recipe);
  const Names before = names_in(folder / "run");
  Recipe other = recipe;
  other.seed = 7;
  SECTION("it fails") {
    const RunDirectory directory(other, RunAccess::kRestart);
    directory.update_report("prediction", {});
    fs::create_directory(directory.path() / "runs");
  }
  SECTION("it is killed while it runs") {
    in_child([&] {
      const RunDirectory directory(other, RunAccess::kRestart);
      directory.update_report("prediction", {});
      return std::raise(SIGKILL);
    });
    CHECK(fs::exists(folder / "run/.previous"));
  }
  SECTION("it is killed while it sets the run aside") {
    fs::create_directory(folder / "run/.aside");
    fs::rename(folder / "run/checkpoint-8", folder / "run/.aside/checkpoint-8");
    fs::rename(folder / "run/recipe.resolved.yaml", folder / "run/.aside/recipe.resolved.yaml");
  }
  { const RunDirectory directory(recipe, RunAccess::kRead); }
  CHECK(names_in(folder / "run") == before);
  CHECK(load_recipe(folder / "run/recipe.resolved.yaml") == recipe);
}

TEST_CASE("a restart refuses where there is more than a run makes", "[trainer][run]") {
  const TemporaryDirectory folder;
  const Recipe recipe = recipe_in(folder);
  make_old_run(recipe);
  const auto [make, name] = GENERATE(table<void (*)(const fs::path&), std::string>({
      {[](const fs::path& run) { write_plain(run / "notes.txt", "mine"); }, "notes.txt"},
      {[](const fs::path& run) { write_plain(run / "checkpoint-8/notes", "mine"); },
       "checkpoint-8/notes"},
      {[](const fs::path& run) { fs::create_directories(run / "export/deeper"); }, "export/"},
      {[](const fs::path& run) { fs::create_directory(run / "checkpoint-8/state.json.tmp-7"); },
       "checkpoint-8/state.json.tmp-7/"},
      {[](const fs::path& run) { fs::create_symlink("/", run / "runs"); }, "runs"},
      {[](const fs::path& run) { write_plain(run / "runs.tmp-7x", "mine"); }, "runs.tmp-7x"},
  }));
  make(folder / "run");
  const Names before = names_in(folder / "run");
  CHECK(error_message([&] { RunDirectory(recipe, RunAccess::kRestart); }) ==
        (folder / "run").string() +
            ": --restart removes nothing but what a run makes, and there is more: " + name);
  CHECK(names_in(folder / "run") == before);
  CHECK_NOTHROW(RunDirectory(recipe));
}

TEST_CASE("a directory that holds a run's names but no run is not taken", "[trainer][run]") {
  const TemporaryDirectory folder;
  fs::create_directory(folder / "run");
  write_plain(folder / "run/log.jsonl", "mine");
  write_plain(folder / "run/notes.txt", "mine");
  const RunAccess access = GENERATE(RunAccess::kMake, RunAccess::kRestart);
  CHECK(error_message([&] { RunDirectory(recipe_in(folder), access); }) ==
        (folder / "run").string() +
            ": holds log.jsonl, but is no run directory (it has no recipe.resolved.yaml)");
  CHECK(names_in(folder / "run") == Names{"log.jsonl", "notes.txt"});
}

TEST_CASE("a run or export directory that is, holds or lies in an input is refused",
          "[trainer][run]") {
  const TemporaryDirectory folder;
  fs::create_directories(folder / "model");
  fs::create_directory_symlink("model", folder / "link");
  fs::create_directory(folder / "texts");
  write_plain(folder / "texts/book.jsonl", "");
  Recipe recipe = recipe_in(folder);
  recipe.model.path = folder / "model";
  recipe.data.train = folder / "texts/book.jsonl";
  const auto [run, why] = GENERATE_COPY(table<std::string, std::string>({
      {"model", "is model.path"},
      {"link", "is model.path"},
      {"model/run", "lies in model.path"},
      {"link/run", "lies in model.path"},
      {".", "holds model.path"},
      {"texts", "holds data.train"},
  }));
  Recipe changed = recipe;
  SECTION("run") {
    changed.train.output_dir = folder / run;
    const std::string expected = "train.output_dir: expected a directory of its own, but " +
                                 (folder / run).string() + " " + why + " (";
    CHECK_THAT(error_message([&] { RunDirectory{changed}; }), Catch::StartsWith(expected));
    CHECK_THROWS_AS(RunDirectory{changed}, UsageError);
  }
  SECTION("export") {
    changed.export_.output_dir = folder / run;
    const std::string expected = "export.output_dir: expected a directory of its own, but " +
                                 (folder / run).string() + " " + why + " (";
    CHECK_THAT(error_message([&] { check_export_place(changed); }), Catch::StartsWith(expected));
    CHECK_THROWS_AS(RunDirectory{changed}, UsageError);
  }
  CHECK_FALSE(fs::exists(folder / "run"));
  CHECK(fs::is_empty(folder / "model"));
}

TEST_CASE("a run directory that holds a source of a blend is refused", "[trainer][run]") {
  const TemporaryDirectory folder;
  fs::create_directory(folder / "texts");
  write_plain(folder / "texts/book.jsonl", "");
  write_plain(folder / "all.blend.json", R"({"sources": [{"path": "texts/book.jsonl"}]})");
  Recipe recipe = recipe_in(folder);
  recipe.data.train = folder / "all.blend.json";
  recipe.train.output_dir = folder / "texts";
  CHECK_THAT(error_message([&] { RunDirectory{recipe}; }),
             Catch::Contains(" holds data.train (" + (folder / "texts/book.jsonl").string()));
}

TEST_CASE("an export lies apart from the run", "[trainer][run]") {
  const TemporaryDirectory folder;
  Recipe recipe = recipe_in(folder);
  const auto refusal = [&](const fs::path& directory) {
    recipe.export_.output_dir = directory;
    return error_message([&] { check_export_place(recipe); });
  };
  CHECK_THAT(refusal(folder / "run"), Catch::Contains("is train.output_dir"));
  CHECK_THAT(refusal(folder / "other/../run/"), Catch::Contains("is train.output_dir"));
  CHECK_THAT(refusal(folder / "run/export"), Catch::Contains("lies in train.output_dir"));
  CHECK_THAT(refusal(folder.path()), Catch::Contains("holds train.output_dir"));
  recipe.export_.output_dir = folder / "run-export";
  CHECK_NOTHROW(check_export_place(recipe));
}

TEST_CASE("of a model in links the files that they lead to are an input, too", "[trainer][run]") {
  const TemporaryDirectory folder;
  fs::create_directories(folder / "snapshots/1");
  fs::create_directory(folder / "blobs");
  write_plain(folder / "blobs/weights", "");
  fs::create_symlink("../../blobs/weights", folder / "snapshots/1/model.safetensors");
  Recipe recipe = recipe_in(folder);
  recipe.model.path = folder / "snapshots/1";
  recipe.train.output_dir = folder / "blobs";
  CHECK_THAT(error_message([&] { check_run_place(recipe); }),
             Catch::Contains("holds model.path") && Catch::Contains("blobs/weights"));
}

TEST_CASE("folders of a user's that are named as a run's that was set aside stay",
          "[trainer][run]") {
  const TemporaryDirectory folder;
  const Recipe recipe = recipe_in(folder);
  make_old_run(recipe);
  const std::string name = GENERATE(".previous", ".aside");
  fs::create_directory(folder / "run" / name);
  write_plain(folder / "run" / name / "thesis.tex", "mine");
  write_plain(folder / "run" / name / "report.json", "mine");
  { const RunDirectory directory(recipe, RunAccess::kRead); }
  { const RunDirectory directory(recipe); }
  CHECK_THAT(error_message([&] { RunDirectory(recipe, RunAccess::kRestart); }),
             Catch::EndsWith("there is more: " + name + "/thesis.tex"));
  CHECK(names_in(folder / "run" / name) == Names{"report.json", "thesis.tex"});
  CHECK(read_file(folder / "run/report.json") != "mine");
}

TEST_CASE("a recipe with notes is not replaced", "[trainer][run]") {
  const TemporaryDirectory folder;
  const Recipe recipe = recipe_in(folder);
  { const RunDirectory directory(recipe); }
  const std::string noted = "# mine\n" + read_file(folder / "run/recipe.resolved.yaml");
  write_plain(folder / "run/recipe.resolved.yaml", noted);
  { RunDirectory(recipe).keep_recipe(); }  // writes the same recipe
  Recipe longer = recipe;
  longer.train.max_steps = 300;
  CHECK_THAT(error_message([&] { RunDirectory(longer).keep_recipe(); }),
             Catch::EndsWith("has comments, which no run writes; it would be replaced"));
  CHECK_THAT(error_message([&] { RunDirectory(longer, RunAccess::kRestart); }),
             Catch::EndsWith("has comments, which no run writes; it would be replaced"));
  CHECK(read_file(folder / "run/recipe.resolved.yaml") == noted);
}

TEST_CASE("a restart that cannot write leaves the run before it as it was", "[trainer][run]") {
  const TemporaryDirectory folder;
  Recipe recipe = recipe_in(folder);
  make_old_run(recipe);
  const Names before = names_in(folder / "run");
  recipe.seed = 7;
  const ChildEnd end = in_child([&] {
    limit_file_size(16);  // room for the lock
    return error_message([&] { RunDirectory(recipe, RunAccess::kRestart); }).find("cannot write") ==
                   std::string::npos
               ? 1
               : 0;
  });
  CHECK(end.code == 0);
  CHECK(names_in(folder / "run") == before);
}

TEST_CASE("a run on a read-only disk can be read", "[trainer][run]") {
  const TemporaryDirectory folder;
  const Recipe recipe = recipe_in(folder);
  const ChildEnd end = in_child([&] {
    fs::create_directory(folder / "run");
    if (!mount_tiny_disk(folder / "run", 1 << 20)) return 2;
    { const RunDirectory directory(recipe); }
    fs::remove(folder / "run/.lock");
    if (::mount("none", (folder / "run").c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0)
      return 2;
    const RunDirectory directory(recipe, RunAccess::kRead);
    return directory.can_write() ? 1 : 0;
  });
  if (end.code == 2) WARN("SKIP: mounting is not permitted here");
  CHECK((end.code == 0 || end.code == 2));
}

TEST_CASE("what killed runs left half-written is removed, and nothing like it", "[trainer][run]") {
  const TemporaryDirectory folder;
  { const RunDirectory directory(recipe_in(folder)); }
  for (const char* name : {"checkpoint-2.tmp-77", "control/checkpoint-2.tmp-77", "checkpoint-1",
                           "mine.tmp-77", "checkpoint-x.tmp-77"})
    fs::create_directories(folder / "run" / name);
  const RunDirectory directory(recipe_in(folder));
  CHECK(names_in(folder / "run") == Names{".lock", "checkpoint-1", "checkpoint-x.tmp-77", "control",
                                          "mine.tmp-77", "recipe.resolved.yaml"});
  CHECK(names_in(directory.control()).empty());
}

TEST_CASE("a section of the report leaves the others as they are", "[trainer][run]") {
  const TemporaryDirectory folder;
  const RunDirectory directory(recipe_in(folder));
  directory.update_report("training", {{"steps", 8}});
  directory.update_report("evaluation", {{"kl", 0.5}});
  directory.update_report("training", {{"steps", 9}});
  CHECK(nlohmann::json::parse(read_file(directory.report())) ==
        nlohmann::json{{"training", {{"steps", 9}}}, {"evaluation", {{"kl", 0.5}}}});
}

TEST_CASE("a directory that cannot be made is an Error with the full path", "[trainer][run]") {
  const TemporaryDirectory folder;
  write_plain(folder / "run", "a file");
  CHECK_THAT(error_message([&] { RunDirectory{recipe_in(folder)}; }),
             Catch::StartsWith((folder / "run").string() + ": cannot create: "));
}
