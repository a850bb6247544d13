#include "tests/standin/small_run.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include "data/base/generator.h"
#include "data/files/file.h"
#include "modules/runtime/prompt.h"
#include "modules/runtime/text_generation.h"
#include "tests/support/comparable.h"
#include "tests/support/model.h"
#include "tests/support/plain_file.h"
#include "trainer/experiment/text_source.h"
#include "trainer/recipe/recipe.h"
#include "trainer/report/table_json.h"
#include "trainer/runs/runs.h"

namespace dualpath::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kRecipe = R"(model: {path: FOLDER/model, dtype: float32}
data: {train: FOLDER/samples.jsonl, window: 32}
quantize: {calibration: {num_samples: 4}}
correction: {reduction: 8}
train: {output_dir: FOLDER/run, max_steps: 4, save_steps: 2, logging_steps: 1, report_to: none}
evaluate: {num_tokens: 100, bootstrap_samples: 10}
export: {output_dir: FOLDER/export}
num_threads: 1
)";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != text.npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

std::string made_texts() {
  const std::vector<std::string> words{"the ", "quantized ", "model ", "reads ", "a ", "token "};
  Generator generator(/*seed=*/1);
  std::string lines;
  for (int text = 0; text < 10; ++text) {
    std::string line;
    for (int i = 0; i < 60; ++i) line += words[generator.below(words.size())];
    lines += json{{"text", line}}.dump() + "\n";
  }
  return lines;
}

/// A file's content but for measurements, and for the prediction, which is of the device.
std::string content_of(const fs::path& file) {
  const std::string content = comparable(file);
  if (file.filename() != "report.json") return content;
  json report = json::parse(content);
  report.erase("prediction");
  return report.dump();
}

std::string text_of(const trainer::EvaluationTable& table) {
  json object = to_json(table);
  remove_measurements(object);
  return object.dump(1);
}

/// The parts that every command on a run opens.
struct Opened {
  Opened(const trainer::Recipe& recipe, trainer::RunAccess access)
      : experiment(trainer::open_experiment(recipe)),
        texts(trainer::load_texts(recipe.data, experiment.model)),
        directory(recipe, access) {}
  trainer::Experiment experiment;
  trainer::Texts texts;
  trainer::RunDirectory directory;
};

}  // namespace

SmallRun::SmallRun(const std::string& model, std::vector<std::string> settings, at::Device device)
    : settings_(std::move(settings)), device_(device) {
  const fs::path reference = fs::absolute(kReference / model);
  fs::create_directory_symlink(reference, folder_ / "model");
  write_plain(folder_ / "recipe.yaml", replaced(kRecipe, "FOLDER", folder_.path().string()));
  const fs::path samples = reference.parent_path() / "samples.jsonl";
  if (fs::exists(samples)) {
    settings_.push_back("data={train: " + samples.string() + ", window: 512}");
  } else {
    write_plain(folder_ / "samples.jsonl", made_texts());
  }
}

trainer::Recipe SmallRun::recipe(std::int64_t max_steps) const {
  trainer::Recipe recipe = trainer::load_recipe(folder_ / "recipe.yaml", settings_);
  recipe.train.max_steps = max_steps;
  recipe.model.device = device_;
  return recipe;
}

void SmallRun::calibrate() const {
  const Opened run(recipe(kFirstSteps), trainer::RunAccess::kMake);
  trainer::run_calibration(run.experiment, run.texts, run.directory);
}

void SmallRun::train(std::int64_t max_steps) const {
  const Opened run(recipe(max_steps), trainer::RunAccess::kMake);
  trainer::run_training(run.experiment, run.texts, run.directory);
}

std::string SmallRun::evaluate() const {
  const Opened run(recipe(), trainer::RunAccess::kRead);
  return text_of(trainer::run_evaluation(run.experiment, run.texts, run.directory));
}

void SmallRun::export_model() const {
  const Opened run(recipe(), trainer::RunAccess::kRead);
  trainer::run_export(run.experiment, run.texts, run.directory);
}

std::string SmallRun::evaluate_export() const {
  trainer::Recipe of_export = recipe();
  of_export.model.path = folder_ / "export";
  return text_of(
      trainer::run_export_evaluation(of_export, modules::open_model(of_export.model.path)));
}

std::map<std::string, std::string> SmallRun::generate() const {
  const auto source = trainer::open_text_source(recipe(), /*float_only=*/false);
  const data::Batch prompt = make_prompt(source->model(), {.text = "the quantized model"});
  std::map<std::string, std::string> texts;
  for (const trainer::Row& row : source->rows())
    texts[row.name] = generate_text(source->model(), *row.executor, prompt, {.max_tokens = 8},
                                    [](std::string_view) {})
                          .text;
  return texts;
}

std::map<std::string, std::string> SmallRun::files() const {
  std::map<std::string, std::string> files;
  for (const char* part : {"run", "export"}) {
    if (!fs::exists(folder_ / part)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / part)) {
      const fs::path name = fs::relative(entry.path(), folder_.path());
      const bool is_page = name.extension() == ".html";  // shows times
      if (!entry.is_regular_file() || is_page || name.filename() == ".lock") continue;
      files[name.string()] = replaced(content_of(entry.path()), folder_.path().string(), "FOLDER");
    }
  }
  return files;
}

void SmallRun::continue_from(const SmallRun& other) const {
  fs::remove_all(folder_ / "run");
  fs::copy(other.folder_ / "run", folder_ / "run", fs::copy_options::recursive);
  const fs::path recipe = folder_ / "run/recipe.resolved.yaml";
  write_plain(recipe,
              replaced(read_file(recipe), other.folder_.path().string(), folder_.path().string()));
}

}  // namespace dualpath::testing
