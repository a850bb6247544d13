#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "data/base/bytes_text.h"
#include "data/base/error.h"
#include "tools/commands/command.h"
#include "trainer/report/figures.h"
#include "trainer/report/table_json.h"
#include "trainer/runs/runs.h"

namespace dualpath::tools {
namespace {

constexpr trainer::FigureStyle kTerminal{.none = "-", .percent = "%"};

/// A line of the table: name, figures, bytes.
std::string line_of(const std::string& name, const std::vector<std::string>& figures,
                    const std::string& bytes) {
  std::string line = fmt::format("{:<18}", name);
  for (const std::string& figure : figures) line += fmt::format(" {:>10}", figure);
  return line + fmt::format(" {:>10}\n", bytes);
}

std::string recovery_line(const trainer::RowFigures& row,
                          const std::vector<trainer::Metric>& metrics) {
  std::string line = fmt::format("recovered, {}:", row.name);
  for (const trainer::Metric& metric : metrics) {
    const auto estimate = row.recovery->at(metric.name);
    line += estimate ? fmt::format("  {} {:.0f} % [{:.0f}, {:.0f}]", metric.name,
                                   100 * estimate->value, 100 * estimate->low, 100 * estimate->high)
                     : fmt::format("  {} - (the loss is within noise)", metric.name);
  }
  return line + "\n";
}

std::string set_table(const trainer::SetFigures& set) {
  const std::vector<trainer::Metric> metrics = trainer::shown_metrics(set.rows);
  std::vector<std::string> heads;
  for (const trainer::Metric& metric : metrics) heads.push_back(trainer::head_of(metric));
  std::string table = line_of(set.title(), heads, "bytes");
  for (const trainer::RowFigures& row : set.rows) {
    std::vector<std::string> cells;
    for (const trainer::Metric& metric : metrics)
      cells.push_back(trainer::cell_of(row, metric, kTerminal));
    table += line_of(row.name, cells, bytes_text(row.bytes));
  }
  const std::vector<trainer::Metric> recovered = trainer::recovered_metrics(set.rows);
  for (const trainer::RowFigures& row : set.rows) {
    if (row.recovery) table += recovery_line(row, recovered);
  }
  return table + fmt::format("{} tokens scored\n\n", set.rows.front().tokens);
}

std::string table_of(const trainer::EvaluationTable& result) {
  std::string table;
  for (const trainer::SetFigures& set : result.sets) table += set_table(set);
  table += fmt::format("windows of {0} tokens, stride {0}, a window's first token is {1}; {2}",
                       result.window, trainer::kFirstToken, result.dtype);
  // A row may come from a run that was stopped, so its steps are shown.
  for (const auto& [row, steps] : result.steps)
    table += fmt::format("; {} after {} steps", row, steps);
  return table;
}

void evaluate(const RecipeArguments& arguments, bool by_part,
              const std::shared_ptr<trainer::Processes>& processes) {
  const trainer::Recipe recipe = arguments.load(*processes);
  modules::Model model = modules::open_model(recipe.model.path);
  if (by_part && (model.is_quantized() || !recipe.quantizes()))
    throw UsageError("--by-part: quantizes parts of a float model, and {}",
                     model.is_quantized() ? "an export is whole" : "the recipe quantizes nothing");
  if (model.is_quantized()) {
    trainer::use_threads(recipe.num_threads, processes->local_size());
    announce_kernel(recipe, *processes);
    const trainer::EvaluationTable result =
        trainer::run_export_evaluation(recipe, model, *processes);
    return print(to_json(result), arguments.json, table_of(result));
  }
  const OpenRun run(recipe, std::move(model), trainer::RunAccess::kRead, processes,
                    EvaluateSets::kRead);
  announce_kernel(recipe, *processes);
  const trainer::EvaluationTable result =
      by_part ? trainer::run_part_evaluation(run.experiment, run.texts, run.directory)
              : trainer::run_evaluation(run.experiment, run.texts, run.directory);
  print(to_json(result), arguments.json, table_of(result));
}

}  // namespace

void add_evaluate(CLI::App& app) {
  auto arguments = std::make_shared<RecipeArguments>();
  CLI::App* command = add_recipe_command(
      app, "evaluate", "the table: FP, quantized, corrected and control, in and out of domain",
      *arguments);
  auto by_part = std::make_shared<bool>(false);
  command->add_flag("--by-part", *by_part,
                    "one row for each part of the model, quantized alone (towers, alignments, "
                    "language model)");
  add_processes(*command, *arguments);
  command->callback([arguments, by_part] {
    run_together(*arguments,
                 [&](const auto& processes) { evaluate(*arguments, *by_part, processes); });
  });
}

}  // namespace dualpath::tools
