#include <nlohmann/json.hpp>

#include "data/formats/event_file.h"
#include "data/process/interrupt.h"
#include "data/process/progress.h"
#include "modules/execute/compute_weights.h"
#include "quant/compare/output_sqnr.h"
#include "trainer/report/json.h"
#include "trainer/runs/runs.h"

namespace dualpath::trainer {
namespace {

constexpr std::size_t kWindows = 4;

}  // namespace

SqnrResult run_sqnr(const Experiment& experiment, const Texts& texts, QuantizedPath& path,
                    std::int64_t step, const RunDirectory& directory) {
  const std::vector<data::Batch> batches = spread_samples(*texts.selection, kWindows);
  // The reference has the path's smoothed and trained weights; its own conversions are freed with
  // it.
  modules::FloatExecutor reference(std::make_shared<modules::ComputeWeights>(
      path.trainables.weights, path.executor.shared_weights()));
  Progress progress("sqnr", static_cast<std::int64_t>(batches.size()), "windows");
  SqnrResult result{
      batches.size(),
      quant::output_sqnr(experiment.model.network, batches, experiment.plan, path.trainables.scales,
                         reference, path.executor, [&] {
                           throw_if_interrupted();
                           progress.advance_part(experiment.model.network.stages.size());
                         })};
  directory.update_report("sqnr", to_json(result));
  std::vector<data::Scalar> scalars;
  for (const quant::OutputSqnr& linear : result.linears)
    scalars.push_back({"quant/" + linear.linear + "/sqnr_db", linear.decibels});
  if (const auto events = directory.events("quant"))
    data::EventFile(*events, step).write(step, scalars);
  return result;
}

}  // namespace dualpath::trainer
