#include "data/formats/event_file.h"
#include "data/process/interrupt.h"
#include "data/process/progress.h"
#include "modules/execute/compute_weights.h"
#include "quant/compare/output_sqnr.h"
#include "trainer/runs/runs.h"

namespace dualpath::trainer {
namespace {

using nlohmann::json;

constexpr std::size_t kWindows = 4;

/// {"text": 0.001, "image": 0.02}
json to_json(const quant::SaturatedShares& shares) {
  json by_modality = json::object();
  for (const auto& [modality, share] : shares)
    by_modality[std::string(modules::name_of(modality))] = share;
  return by_modality;
}

}  // namespace

void run_sqnr(const Experiment& experiment, const Texts& texts, QuantizedPath& path,
              std::int64_t step, const RunDirectory& directory) {
  const std::vector<data::Batch> batches = spread_samples(*texts.selection, kWindows);
  // Smoothed and trained alike; what it converts of that goes with it.
  modules::FloatExecutor reference(std::make_shared<modules::ComputeWeights>(
      path.trainables.weights, path.executor.shared_weights()));
  Progress progress("sqnr", static_cast<std::int64_t>(batches.size()), "windows");
  const auto sqnr =
      quant::output_sqnr(experiment.model.network, batches, experiment.plan, path.trainables.scales,
                         reference, path.executor, [&](std::int64_t) {
                           throw_if_interrupted();
                           progress.advance(1);
                         });
  json linears = json::array();
  std::vector<data::Scalar> scalars;
  for (const auto& [linear, stage, decibels, saturated] : sqnr) {
    linears.push_back({{"linear", linear},
                       {"stage", stage},
                       {"sqnr_db", decibels},
                       {"saturated", to_json(saturated)}});
    scalars.push_back({"quant/" + linear + "/sqnr_db", decibels});
  }
  directory.update_report("sqnr", {{"windows", batches.size()}, {"linears", linears}});
  if (const auto events = directory.events("quant"))
    data::EventFile(*events, step).write(step, scalars);
}

}  // namespace dualpath::trainer
