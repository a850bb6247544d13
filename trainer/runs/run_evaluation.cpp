#include <fmt/format.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "data/base/failpoint.h"
#include "data/formats/event_file.h"
#include "data/process/progress.h"
#include "data/process/standard_streams.h"
#include "trainer/evaluate/evaluation.h"
#include "trainer/experiment/rows.h"
#include "trainer/experiment/same_run.h"
#include "trainer/experiment/trained_paths.h"
#include "trainer/report/json.h"
#include "trainer/runs/runs.h"

namespace dualpath::trainer {
namespace {

constexpr const char* kInDomain = "in_domain";

struct NamedSamples {
  std::string name;
  const data::Samples* samples;
};

std::vector<NamedSamples> sets_of(const Texts& texts) {
  std::vector<NamedSamples> sets{{kInDomain, texts.test.get()}};
  if (texts.out_of_domain) sets.push_back({"out_of_domain", texts.out_of_domain.get()});
  return sets;
}

EvaluationTable table_of(const modules::Network& network, const std::vector<Row>& rows,
                         const std::vector<NamedSamples>& sets, const Recipe& recipe,
                         Processes& processes) {
  std::int64_t total = 0;
  for (const NamedSamples& set : sets) {
    total += static_cast<std::int64_t>(evaluated_here(*set.samples, recipe.evaluate, processes));
  }
  Progress progress("evaluate", total, processes.size() == 1 ? "windows" : "windows here");
  EvaluationTable table{.window = recipe.data.window, .dtype = c10::toString(recipe.model.dtype)};
  for (const NamedSamples& set : sets) {
    const auto sums = evaluate_rows(network, rows, *set.samples, recipe.evaluate, processes,
                                    [&](std::int64_t windows) {
                                      failpoint("evaluate.batch");
                                      progress.advance(windows);
                                    });
    table.sets.push_back(
        {set.name, figures_of(rows, sums, recipe.evaluate.bootstrap_samples, recipe.seed)});
  }
  progress.finish();
  table.seconds = progress.elapsed_seconds();
  return table;
}

/// Shows each row as a curve of its own. Figures of the text's own domain have the usual names. An
/// evaluation made again replaces the one before.
void show(const EvaluationTable& table, std::int64_t step, const RunDirectory& directory) {
  std::map<std::string, std::vector<data::Scalar>> curves;
  for (const SetFigures& set : table.sets) {
    const std::string prefix = set.name == kInDomain ? "eval/" : "eval/" + set.name + "_";
    for (const RowFigures& row : set.rows) {
      std::vector<data::Scalar>& curve = curves[row.name];
      curve.push_back({prefix + "loss", std::log(row.perplexity)});
      curve.push_back({prefix + "kl", row.kl.value()});
      curve.push_back({prefix + "accuracy", row.accuracy});
    }
  }
  for (const auto& [row, scalars] : curves) {
    if (const auto events = directory.events("eval/" + row))
      data::EventFile(*events, step).write(step, scalars);
  }
}

/// Puts the table into the run's report, curves and page.
void keep(const EvaluationTable& table, const Experiment& experiment, const Texts& texts,
          const TrainedPaths& paths, const RunDirectory& directory) {
  if (!directory.can_write()) {
    write_notice(fmt::format("dualpath: {}: cannot be written, so its report stays as it is\n",
                             directory.path().string()));
    return;
  }
  directory.update_report("evaluation", to_json(table));
  show(table, paths.steps, directory);
  if (experiment.recipe.quantizes())
    run_sqnr(experiment, texts, *paths.quantized, paths.steps, directory);
  write_html_report(directory);
}

}  // namespace

EvaluationTable run_evaluation(const Experiment& experiment, const Texts& texts,
                               const RunDirectory& directory) {
  const TrainedPaths paths = load_trained_paths(experiment, texts, directory);
  const RunRows rows(experiment, paths);
  EvaluationTable table = table_of(experiment.model.network, rows.rows(), sets_of(texts),
                                   experiment.recipe, *experiment.processes);
  for (const Row& row : rows.rows()) {
    if (row.steps) table.steps[row.name] = *row.steps;
  }
  table.fingerprint = paths.calibration.source.fingerprint;
  experiment.processes->on_first("report",
                                 [&] { keep(table, experiment, texts, paths, directory); });
  return table;
}

EvaluationTable run_export_evaluation(const Recipe& recipe, const modules::Model& model,
                                      Processes& processes) {
  use_threads(recipe.num_threads, processes.local_size());
  check_export_dtype(recipe, model);
  const ExportRows rows(model, recipe.model.tensor_options(), recipe.compute);
  const Texts texts = load_texts(recipe.data, model);
  require_same_run(processes, recipe, texts, model);
  return table_of(model.network, rows.rows(), sets_of(texts), recipe, processes);
}

}  // namespace dualpath::trainer
