#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "tools/commands/command.h"
#include "trainer/report/figures.h"
#include "trainer/report/table_json.h"
#include "trainer/runs/runs.h"

namespace dualpath::tools {
namespace {

constexpr trainer::FigureStyle kTerminal{.none = "-", .percent = "%"};

/// A line of the table: name, quality, bytes.
std::string line_of(const std::string& name, const std::vector<std::string>& quality,
                    const std::string& bytes) {
  return fmt::format("{:<18} {:>10} {:>9} {:>8} {:>10} {:>10}\n", name, quality[0], quality[1],
                     quality[2], quality[3], bytes);
}

std::string recovery_line(const std::string& row, const trainer::Recovery& recovery) {
  std::string line = fmt::format("recovered, {}:", row);
  for (const auto& [measure, estimate] :
       {std::pair{"accuracy", recovery.accuracy}, std::pair{"kl", recovery.kl},
        std::pair{"nll", recovery.nll}}) {
    line += estimate ? fmt::format("  {} {:.0f} % [{:.0f}, {:.0f}]", measure, 100 * estimate->value,
                                   100 * estimate->low, 100 * estimate->high)
                     : fmt::format("  {} - (the loss is within noise)", measure);
  }
  return line + "\n";
}

std::string set_table(const trainer::SetFigures& set) {
  std::string table = line_of(set.name, trainer::quality_heads(), "bytes");
  for (const trainer::RowFigures& row : set.rows) {
    table += line_of(row.name, quality_cells(row, kTerminal),
                     bytes_text(static_cast<double>(row.bytes)));
  }
  for (const trainer::RowFigures& row : set.rows) {
    if (row.recovery) table += recovery_line(row.name, *row.recovery);
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

void evaluate(const RecipeArguments& arguments,
              const std::shared_ptr<trainer::Processes>& processes) {
  const trainer::Recipe recipe = arguments.load(*processes);
  modules::Model model = modules::open_model(recipe.model.path);
  if (model.is_quantized()) {
    trainer::use_threads(recipe.num_threads, processes->local_size());
    announce_kernel(recipe, *processes);
    const trainer::EvaluationTable result =
        trainer::run_export_evaluation(recipe, model, *processes);
    return print(to_json(result), arguments.json, table_of(result));
  }
  const OpenRun run(recipe, std::move(model), trainer::RunAccess::kRead, processes);
  announce_kernel(recipe, *processes);
  const trainer::EvaluationTable result =
      trainer::run_evaluation(run.experiment, run.texts, run.directory);
  print(to_json(result), arguments.json, table_of(result));
}

}  // namespace

void add_evaluate(CLI::App& app) {
  auto arguments = std::make_shared<RecipeArguments>();
  CLI::App* command = add_recipe_command(
      app, "evaluate", "the table: FP, quantized, corrected and control, in and out of domain",
      *arguments);
  add_processes(*command, *arguments);
  command->callback([arguments] {
    run_together(*arguments, [&](const auto& processes) { evaluate(*arguments, processes); });
  });
}

}  // namespace dualpath::tools
