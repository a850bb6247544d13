#include <ATen/Version.h>
#include <torch/version.h>

#include "data/base/error.h"
#include "data/base/failpoint.h"
#include "data/formats/json.h"
#include "data/formats/safetensors.h"
#include "data/process/interrupt.h"
#include "data/process/progress.h"
#include "quant/export/export.h"
#include "trainer/evaluate/row.h"
#include "trainer/experiment/output_places.h"
#include "trainer/experiment/trained_paths.h"
#include "trainer/recipe/recipe.h"
#include "trainer/report/json.h"
#include "trainer/runs/runs.h"

namespace dualpath::trainer {
namespace {

using nlohmann::json;

json provenance(const Experiment& experiment, const TrainedPaths& paths,
                const RunDirectory& directory) {
  json result{{"format_version", 1},
              {"recipe", to_yaml(experiment.recipe)},
              {"source_sha256", paths.calibration.source.model_sha256},
              {"plan", experiment.plan.fingerprint()},
              {"steps", paths.steps},
              {"versions", {{"dualpath", DUALPATH_VERSION}, {"torch", TORCH_VERSION}}}};
  const json evaluation = directory.read_report().value("evaluation", json::object());
  const json steps = evaluation.value("steps", json::object());
  const std::string trained = experiment.recipe.quantizes()
                                  ? transformed_rows(experiment.plan).corrected
                                  : std::string(kTrained);
  // Adds the figures only if they are of the model that is exported.
  if (evaluation.value("fingerprint", "") == paths.calibration.source.fingerprint &&
      steps.value(trained, std::int64_t{0}) == paths.steps) {
    result["figures"] = evaluation.at("sets");
  }
  return result;
}

/// Measures the bytes of a file's tensors, to stand beside the plan's prediction.
std::size_t written_bytes(const std::filesystem::path& file) {
  const data::SafetensorsReader reader(file);
  std::size_t bytes = 0;
  for (const std::string& name : reader.names()) bytes += reader.tensor(name).bytes.size();
  return bytes;
}

}  // namespace

ExportResult run_export(const Experiment& experiment, const Texts& texts,
                        const RunDirectory& directory) {
  const Recipe& recipe = experiment.recipe;
  check_export_place(recipe);
  const TrainedPaths paths = load_trained_paths(experiment, texts, directory);
  const Trainables& trained = paths.quantized->trainables;
  Progress progress("export", static_cast<std::int64_t>(trained.weights->names().size()),
                    "weights");
  const quant::ExportSource source{.model = experiment.model,
                                   .codes = *paths.quantized->codes,
                                   .dtype = recipe.model.dtype,
                                   .plan = experiment.plan,
                                   .options = recipe.quantize,
                                   .scales = trained.scales,
                                   .corrections = trained.corrections,
                                   .correction_options = recipe.correction,
                                   .provenance = provenance(experiment, paths, directory),
                                   .format = recipe.export_.format};
  quant::export_model(recipe.export_.output_dir, source, [&](std::int64_t weights) {
    failpoint("export.weight");
    throw_if_interrupted();
    progress.advance(weights);
  });
  progress.finish();
  const ExportResult result{
      .path = recipe.export_.output_dir,
      .weight_bytes = written_bytes(recipe.export_.output_dir / "model.safetensors"),
      .correction_bytes = trained.corrections.bytes(),
      .seconds = progress.elapsed_seconds()};
  if (directory.can_write()) directory.update_report("export", to_json(result));
  return result;
}

}  // namespace dualpath::trainer
