#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "data/base/failpoint.h"
#include "data/formats/event_file.h"
#include "data/process/progress.h"
#include "data/process/standard_streams.h"
#include "trainer/evaluate/answers.h"
#include "trainer/evaluate/evaluated_part.h"
#include "trainer/evaluate/evaluation.h"
#include "trainer/experiment/part_rows.h"
#include "trainer/experiment/rows.h"
#include "trainer/experiment/same_run.h"
#include "trainer/experiment/trained_paths.h"
#include "trainer/report/json.h"
#include "trainer/runs/runs.h"

namespace dualpath::trainer {
namespace {

/// Some samples of a set that are evaluated together, and the questions among them.
struct Part {
  std::string set;
  EvaluatedPart evaluated;
  Questions questions;
};

struct SetSamples {
  std::string name;
  const data::Samples* samples;
};

std::vector<SetSamples> sets_of(const Texts& texts) {
  std::vector<SetSamples> sets{{kInDomain, texts.test.get()}};
  if (texts.out_of_domain) sets.push_back({kOutOfDomain, texts.out_of_domain.get()});
  for (const NamedSamples& set : texts.sets) sets.push_back({set.name, set.samples.get()});
  return sets;
}

std::vector<Part> all_parts(const Texts& texts, const modules::Model& model, const Recipe& recipe) {
  std::vector<Part> parts;
  for (const auto& [name, samples] : sets_of(texts)) {
    for (EvaluatedPart& part : parts_of(*samples, !model.network.tower_samples.empty())) {
      Questions questions =
          questions_for(model, part.samples, part.modality, recipe.evaluate, recipe.data.window);
      parts.push_back({name, std::move(part), std::move(questions)});
    }
  }
  return parts;
}

/// Pictures and clips whose answers nothing marks are not answered, which is said.
void say_unanswered(const std::vector<Part>& parts, const Recipe& recipe,
                    const Processes& processes) {
  const bool has_files = std::ranges::any_of(parts, [](const Part& part) {
    return !part.evaluated.modality.empty() && part.evaluated.modality != "text";
  });
  if (has_files && recipe.evaluate.num_answers > 0 && !recipe.data.assistant_only_loss &&
      processes.is_first()) {
    write_notice(
        "no sample is answered (exact, top1, top5, wer, cer): with data.assistant_only_loss: false "
        "nothing tells where an answer begins\n");
  }
}

std::int64_t samples_here(const std::vector<Part>& parts, const modules::Model& model,
                          const Recipe& recipe, const Processes& processes) {
  std::size_t total = 0;
  for (const auto& [set, part, questions] : parts) {
    total += evaluated_here(part.samples, recipe.evaluate, processes) +
             answered_here(model, part.samples, questions, processes);
  }
  return static_cast<std::int64_t>(total);
}

/// Adds the rows' answers to their sums, as samples of their own.
void add_judged(const Questions& questions, const std::vector<std::vector<Answer>>& answers,
                std::vector<RowSums>& sums) {
  for (std::size_t row = 0; row < sums.size(); ++row)
    for (std::size_t i = 0; i < questions.chosen.size(); ++i)
      sums[row].samples.push_back(
          judged(questions.chosen[i], answers[row][i], questions.judgement));
}

EvaluationTable table_of(const modules::Model& model, const std::vector<Row>& rows,
                         const Texts& texts, const Recipe& recipe, Processes& processes) {
  const std::vector<Part> parts = all_parts(texts, model, recipe);
  say_unanswered(parts, recipe, processes);
  Progress progress("evaluate", samples_here(parts, model, recipe, processes),
                    processes.size() == 1 ? "samples" : "samples here");
  const auto advance = [&](std::int64_t samples) {
    failpoint("evaluate.batch");
    progress.advance(samples);
  };
  EvaluationTable table{.window = recipe.data.window, .dtype = c10::toString(recipe.model.dtype)};
  for (const auto& [set, part, questions] : parts) {
    auto sums =
        evaluate_rows(model.network, rows, part.samples, recipe.evaluate, processes, advance);
    SetFigures figures{.name = set, .modality = part.modality};
    if (!questions.chosen.empty()) {
      const auto answers = answer(model, rows, part.samples, questions, processes, advance);
      add_judged(questions, answers, sums);
      figures.changed = changed_samples(part.samples, questions, rows, answers);
    }
    figures.rows = figures_of(rows, sums, recipe.evaluate.bootstrap_samples, recipe.seed);
    table.sets.push_back(std::move(figures));
  }
  progress.finish();
  table.seconds = progress.elapsed_seconds();
  return table;
}

/// Perplexity and agreement say little that the loss and KL do not.
bool is_curve(const std::string& metric) { return metric != "perplexity" && metric != "agreement"; }

/// Shows each row as a curve of its own. Figures of the text's own domain have the usual names. An
/// evaluation made again replaces the one before.
void show(const EvaluationTable& table, std::int64_t step, const RunDirectory& directory) {
  std::map<std::string, std::vector<data::Scalar>> curves;
  for (const SetFigures& set : table.sets) {
    std::string prefix = set.name == kInDomain ? "eval/" : "eval/" + set.name + "_";
    if (!set.modality.empty()) prefix += set.modality + "_";
    std::ranges::replace(prefix, ' ', '_');
    for (const RowFigures& row : set.rows) {
      for (const auto& [name, value] : row.figures) {
        if (is_curve(name))
          curves[row.name].push_back({prefix + (name == "nll" ? "loss" : name), value});
      }
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
  EvaluationTable table =
      table_of(experiment.model, rows.rows(), texts, experiment.recipe, *experiment.processes);
  for (const Row& row : rows.rows()) {
    if (row.steps) table.steps[row.name] = *row.steps;
  }
  table.fingerprint = paths.calibration.source.fingerprint;
  experiment.processes->on_first("report",
                                 [&] { keep(table, experiment, texts, paths, directory); });
  return table;
}

EvaluationTable run_part_evaluation(const Experiment& experiment, const Texts& texts,
                                    const RunDirectory& directory) {
  const TrainedPaths paths = load_trained_paths(experiment, texts, directory);
  const PartRows rows(experiment, paths);
  EvaluationTable table =
      table_of(experiment.model, rows.rows(), texts, experiment.recipe, *experiment.processes);
  table.fingerprint = paths.calibration.source.fingerprint;
  experiment.processes->on_first("report", [&] {
    if (directory.can_write()) directory.update_report("evaluation_by_part", to_json(table));
  });
  return table;
}

EvaluationTable run_export_evaluation(const Recipe& recipe, const modules::Model& model,
                                      Processes& processes) {
  use_threads(recipe.num_threads, processes.local_size());
  check_export_dtype(recipe, model);
  const ExportRows rows(model, recipe.model.tensor_options(), recipe.compute);
  const Texts texts = load_texts(recipe.data, model, recipe.evaluate.sets);
  require_same_run(processes, recipe, texts, model);
  return table_of(model, rows.rows(), texts, recipe, processes);
}

}  // namespace dualpath::trainer
