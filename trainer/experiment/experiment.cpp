#include "trainer/experiment/experiment.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <thread>

#include "data/base/error.h"
#include "data/files/checksum.h"
#include "modules/execute/compute_weights.h"
#include "trainer/experiment/teacher.h"

namespace dualpath::trainer {
namespace {

namespace fs = std::filesystem;

/// The model's own files; other weights that lie beside them are no part of it.
std::vector<fs::path> model_files(const modules::Model& model) {
  std::vector<fs::path> files = model.weight_files;
  if (fs::is_directory(model.path)) files.push_back(model.path / "config.json");
  std::ranges::sort(files);
  return files;
}

/// The files that say how pictures and clips are prepared.
std::vector<fs::path> processor_files(const fs::path& path) {
  std::vector<fs::path> files;
  for (const char* name : {"preprocessor_config.json", "processor_config.json"}) {
    if (fs::exists(path / name)) files.push_back(path / name);
  }
  return files;
}

void update(Sha256& hash, std::string_view text) { hash.update(std::as_bytes(std::span(text))); }

}  // namespace

void use_threads(std::int64_t wanted, int processes_here) {
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  at::set_num_threads(wanted > 0 ? static_cast<int>(wanted) : std::max(1, cores / processes_here));
}

Experiment open_experiment(Recipe recipe) {
  modules::Model model = modules::open_model(recipe.model.path);
  return open_experiment(std::move(recipe), std::move(model));
}

Experiment open_experiment(Recipe recipe, modules::Model model,
                           std::shared_ptr<Processes> processes) {
  use_threads(recipe.num_threads, processes->local_size());
  if (model.is_quantized()) {
    throw Error(
        "{}: is quantized already; evaluate and inspect take it, the other commands need the float "
        "model",
        recipe.model.path.string());
  }
  quant::Plan plan = checked_plan(recipe, model);
  return {std::move(recipe), std::move(model), std::move(plan), std::move(processes)};
}

std::string model_fingerprint(const modules::Model& model) {
  Sha256 hash;
  for (const fs::path& file : model_files(model)) update(hash, sha256_file(file));
  for (const fs::path& file : processor_files(model.path)) update(hash, sha256_file(file));
  return hash.hex();
}

std::int64_t model_bytes(const modules::Model& model) {
  std::int64_t bytes = 0;
  for (const fs::path& file : model_files(model))
    bytes += static_cast<std::int64_t>(fs::file_size(file));
  return bytes;
}

std::string tokenizer_fingerprint(const modules::Model& model) {
  Sha256 hash;
  update(hash, model.tokenizer.files().tokenizer_json);
  return hash.hex();
}

quant::CalibrationSource source_of(const Experiment& experiment, const Texts& texts) {
  const std::string model_sha256 = model_fingerprint(experiment.model);
  Sha256 hash;
  update(hash, model_sha256);
  update(hash, experiment.plan.fingerprint());
  update(hash, c10::toString(experiment.recipe.model.dtype));
  update(hash, std::to_string(experiment.recipe.quantize.calibration.num_samples));
  if (experiment.recipe.quantize.calibration.text_only) update(hash, "text_only");
  texts.train->update(hash);
  texts.selection->update(hash);
  update(hash, teacher_fingerprint(experiment.recipe));
  return {hash.hex(), model_sha256, tokenizer_fingerprint(experiment.model)};
}

QuantizedPath::QuantizedPath(const Recipe& recipe, const modules::WeightedNetwork& model,
                             const quant::Plan& plan, const quant::Calibration& calibration,
                             const modules::FloatExecutor& reference)
    : trainables(quantized_trainables(recipe, model, plan, calibration)),
      codes(std::make_shared<quant::CodeStore>(trainables.weights, reference.device())),
      executor(
          std::make_shared<modules::ComputeWeights>(trainables.weights, reference.shared_weights()),
          plan, trainables.scales, recipe.compute, recipe.train.input_gradients, codes),
      corrected(executor, trainables.corrections) {}

modules::Preparation preparation_of(const Recipe& recipe) {
  const bool goes_both_ways = recipe.train.control || !recipe.quantizes();
  return goes_both_ways ? modules::Preparation::kTables : modules::Preparation::kLinears;
}

ControlPath::ControlPath(const Experiment& experiment)
    : trainables(control_trainables(experiment.recipe, experiment.model, experiment.plan)),
      executor(experiment.model.weights, experiment.recipe.model.tensor_options(),
               preparation_of(experiment.recipe)),
      corrected(executor, trainables.corrections) {}

}  // namespace dualpath::trainer
