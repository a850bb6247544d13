#include <cmath>
#include <map>

#include "data/base/error.h"
#include "data/base/failpoint.h"
#include "data/formats/event_file.h"
#include "data/process/progress.h"
#include "data/process/standard_streams.h"
#include "data/text/text.h"
#include "quant/export/export.h"
#include "quant/stored/layout.h"
#include "trainer/evaluate/evaluated_row.h"
#include "trainer/evaluate/evaluation.h"
#include "trainer/experiment/trained_paths.h"
#include "trainer/experiment/untrained_rows.h"
#include "trainer/recipe/recipe.h"
#include "trainer/runs/runs.h"

namespace dualpath::trainer {
namespace {

using nlohmann::json;

/// Bytes a row's model takes on disk, by row.
using RowBytes = std::map<std::string, std::int64_t>;

struct NamedSamples {
  std::string name;
  const data::Samples* samples;
};

std::vector<NamedSamples> sets_of(const Texts& texts) {
  std::vector<NamedSamples> sets{{"in_domain", texts.test.get()}};
  if (texts.out_of_domain) sets.push_back({"out_of_domain", texts.out_of_domain.get()});
  return sets;
}

json to_json(const Metrics& metrics, std::int64_t bytes, bool against_reference) {
  const auto compared = [&](double value) {
    return against_reference ? json(value) : json(nullptr);
  };
  return {{"perplexity", metrics.perplexity},
          {"accuracy", metrics.accuracy},
          {"kl", compared(metrics.kl)},
          {"agreement", compared(metrics.agreement)},
          {"bytes", bytes},
          {"tokens", metrics.tokens}};
}

json to_json(const std::optional<Estimate>& estimate) {
  if (!estimate) return nullptr;
  return {{"value", estimate->value}, {"low", estimate->low}, {"high", estimate->high}};
}

json to_json(const Recovery& recovery) {
  return {{"accuracy", to_json(recovery.accuracy)},
          {"kl", to_json(recovery.kl)},
          {"nll", to_json(recovery.nll)}};
}

const RowSums* row_named(const std::vector<RowSums>& rows, const std::string& name) {
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const RowSums& row) { return row.name == name; });
  return found == rows.end() ? nullptr : &*found;
}

json set_json(const std::vector<RowSums>& rows, const RowBytes& bytes, const Recipe& recipe) {
  json set;
  const RowSums* fp = row_named(rows, kFp);
  for (const RowSums& row : rows)
    set[row.name] = to_json(metrics_of(row), bytes.at(row.name), fp != nullptr);
  if (!fp) return set;
  for (const char* row : {kSmoothed, kCorrected, kSmoothedCorrected}) {
    const RowSums* repaired = row_named(rows, row);
    if (!repaired) continue;
    set["recovery"][row] = to_json(recovery(*fp, *row_named(rows, kQuantized), *repaired,
                                            recipe.evaluate.bootstrap_samples, recipe.seed));
  }
  return set;
}

json evaluate_sets(const modules::Network& network, const std::vector<EvaluatedRow>& rows,
                   const RowBytes& bytes, const std::vector<NamedSamples>& sets,
                   const Recipe& recipe) {
  std::int64_t total = 0;
  for (const NamedSamples& set : sets) {
    total += static_cast<std::int64_t>(evaluated_samples(*set.samples, recipe.evaluate));
  }
  Progress progress("evaluate", total, "windows");
  json result;
  for (const NamedSamples& set : sets) {
    const auto sums =
        evaluate_rows(network, rows, *set.samples, recipe.evaluate, [&](std::int64_t windows) {
          failpoint("evaluate.batch");
          progress.advance(windows);
        });
    result["sets"][set.name] = set_json(sums, bytes, recipe);
  }
  progress.finish();
  result["window"] = recipe.data.window;
  result["stride"] = recipe.data.window;
  result["first_token"] = "context only";
  result["dtype"] = c10::toString(recipe.model.dtype);
  result["seconds"] = progress.elapsed_seconds();
  return result;
}

/// Each row is a curve of its own, with the figures of the text's own domain under the usual names.
/// An evaluation made again takes the place of the one before.
void show(const json& sets, std::int64_t step, const RunDirectory& directory) {
  std::map<std::string, std::vector<data::Scalar>> rows;
  for (const auto& [set, figures] : sets.items()) {
    const std::string prefix = set == "in_domain" ? "eval/" : "eval/" + set + "_";
    for (const auto& [row, metrics] : figures.items()) {
      if (row == "recovery") continue;
      rows[row].push_back({prefix + "loss", std::log(metrics["perplexity"].get<double>())});
      rows[row].push_back({prefix + "kl", metrics["kl"].get<double>()});
      rows[row].push_back({prefix + "accuracy", metrics["accuracy"].get<double>()});
    }
  }
  for (const auto& [row, scalars] : rows) {
    if (const auto events = directory.events("eval/" + row))
      data::EventFile(*events, step).write(step, scalars);
  }
}

}  // namespace

json run_evaluation(const Experiment& experiment, const Texts& texts,
                    const RunDirectory& directory) {
  const TrainedPaths paths = load_trained_paths(experiment, texts, directory);
  QuantizedPath& path = *paths.quantized;
  ControlPath& control = *paths.control;
  UntrainedRows untrained(experiment, paths.calibration, control.executor);
  const auto bytes_of = [&](const quant::Plan& plan, const modules::WeightStore& weights) {
    return quant::total_bytes(quant::planned_bytes(plan, weights, experiment.recipe.model.dtype));
  };
  const std::int64_t fp = bytes_of({}, *experiment.model.weights),
                     quantized = bytes_of(experiment.plan, *path.trainables.weights);

  std::vector<EvaluatedRow> rows{{kFp, &control.executor}};
  RowBytes bytes{{kFp, fp}};
  for (const EvaluatedRow& row : untrained.rows()) {
    rows.push_back(row);
    bytes[row.name] = bytes_of(experiment.plan, *experiment.model.weights);
  }
  json steps = json::object();
  if (paths.steps > 0) {
    const std::string row = corrected_row(experiment.plan);
    rows.push_back({row, &path.corrected});
    bytes[row] = quantized + path.trainables.corrections.bytes();
    steps[row] = paths.steps;
  }
  if (paths.control_steps > 0) {
    rows.push_back({kControl, &control.corrected});
    bytes[kControl] = fp + control.trainables.corrections.bytes();
    steps[kControl] = paths.control_steps;
  }
  json result =
      evaluate_sets(experiment.model.network, rows, bytes, sets_of(texts), experiment.recipe);
  result["steps"] = steps;
  result["fingerprint"] = paths.calibration.source.fingerprint;
  if (!directory.can_write()) {
    write_notice(fmt::format("dualpath: {}: cannot be written, so its report stays as it is\n",
                             directory.path().string()));
    return result;
  }
  directory.update_report("evaluation", result);
  show(result["sets"], paths.steps, directory);
  run_sqnr(experiment, texts, path, paths.steps, directory);
  write_html_report(directory);
  return result;
}

json run_export_evaluation(const Recipe& recipe, const modules::Model& model) {
  use_threads(recipe.num_threads);
  check_export_dtype(recipe, model);
  const quant::ExportedModel exported = quant::open_export(model);
  const Texts texts = load_texts(recipe.data, model);
  quant::QuantizedExecutor executor(model.weights, recipe.model.dtype, exported.plan,
                                    exported.scales, recipe.compute);
  modules::Corrected corrected(executor, exported.corrections);
  const std::int64_t int8 =
      quant::total_bytes(quant::planned_bytes({}, *model.weights, recipe.model.dtype));
  const RowBytes bytes{{kQuantized, int8}, {kCorrected, int8 + exported.corrections.bytes()}};
  return evaluate_sets(model.network, {{kQuantized, &executor}, {kCorrected, &corrected}}, bytes,
                       sets_of(texts), recipe);
}

}  // namespace dualpath::trainer
