#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "data/base/bytes_text.h"
#include "data/base/names_in_ranges.h"
#include "quant/args_text.h"
#include "quant/stored/layout.h"
#include "tools/commands/command.h"
#include "trainer/predict/plan_report.h"
#include "trainer/report/json.h"

namespace dualpath::tools {
namespace {

using Cells = std::vector<std::string>;

/// Bytes of a token in a layer: "14784 bytes (25.7 H)".
std::string saved_text(double bytes, std::int64_t hidden_size) {
  return fmt::format("{:.0f} bytes ({:.1f} H)", bytes, bytes / static_cast<double>(hidden_size));
}

std::string saved_line(const trainer::PlanReport& report) {
  const auto& [kept, checkpointed] = report.prediction.saved;
  return fmt::format("saved for backward, a token and layer: {}; with gradient_checkpointing {}\n",
                     saved_text(kept, report.hidden_size),
                     saved_text(checkpointed, report.hidden_size));
}

std::string peak_text(const trainer::Prediction& prediction) {
  if (prediction.peak_device_bytes)
    return bytes_text(*prediction.peak_device_bytes) + " on the GPU";
  return prediction.peak_resident_bytes ? bytes_text(*prediction.peak_resident_bytes) : "unknown";
}

std::string predicted_line(const trainer::Prediction& prediction) {
  const auto& [calibrate, train, control, evaluate] = prediction.seconds.value();
  return fmt::format(
      "predicted here: peak memory {}; calibrate {:.0f} s, train {:.0f} s, control {:.0f} s, "
      "evaluate {:.0f} s",
      peak_text(prediction), calibrate, train, control, evaluate);
}

/// Bytes by scheme: "decoder 8.2 GB, in float 2.5 GB".
std::string schemes_text(const trainer::Prediction& prediction) {
  std::vector<std::string> parts;
  for (const auto& [name, bytes] : bytes_by_scheme(prediction))
    parts.push_back(fmt::format("{} {}", name.empty() ? "in float" : name, bytes_text(bytes)));
  return fmt::format("{}", fmt::join(parts, ", "));
}

/// Parameter counts: "134515008 parameters; corrections 345900 (0.26 %), 1.4 MB".
std::string parameters_text(const trainer::PlanReport& report) {
  const auto model = static_cast<double>(report.parameters),
             corrections = static_cast<double>(report.prediction.correction_parameters);
  return fmt::format("{:.0f} parameters; corrections {:.0f} ({:.2f} %), {}", model, corrections,
                     100.0 * corrections / model, bytes_text(corrections * sizeof(float)));
}

std::string config_line(const trainer::PlanReport& report) {
  return fmt::format(
      "no weights beside {}: sizes are those of the network it describes; predicted: peak memory "
      "of train at least {}; times unknown",
      report.config->string(), bytes_text(report.prediction.peak_resident_bytes.value()));
}

/// Both ways' memory, and the one taken: "strategy: blockwise, since …; at least 49.0 GB end to
/// end, 6.1 GB blockwise".
std::string strategy_line(const trainer::StrategyChoice& choice) {
  return fmt::format("strategy: {}, {}; at least {} end to end{}\n",
                     name_in(trainer::kStrategies, choice.strategy), choice.why,
                     bytes_text(choice.end_to_end),
                     choice.blockwise ? ", " + bytes_text(*choice.blockwise) + " blockwise" : "");
}

/// The facts that a person wants before the run.
std::string summary_of(const trainer::PlanReport& report,
                       const std::vector<std::string>& in_float) {
  const trainer::Prediction& prediction = report.prediction;
  std::string summary = fmt::format(
      "{} tensor groups; weights {} -> {}: {}\n{}\nin float: {}\n", report.plan.groups.size(),
      bytes_text(report.fp_bytes), bytes_text(quant::total_bytes(prediction.exported)),
      schemes_text(prediction), parameters_text(report), fmt::join(in_float, ", "));
  if (!report.plan.folds.empty())
    summary +=
        fmt::format("{} inputs smoothed before they are quantized\n", report.plan.folds.size());
  summary +=
      fmt::format("keys and values of a token: {} -> {}\n", bytes_text(report.cache_bytes.fp),
                  bytes_text(report.cache_bytes.quantized));
  if (prediction.saved.kept > 0.0) summary += saved_line(report);
  if (const auto& [kept, checkpointed] = prediction.saved_by_towers; kept > 0.0)
    summary += fmt::format(
        "saved for backward by towers, a batch's pictures and clips: {}; with "
        "gradient_checkpointing {}\n",
        bytes_text(kept), bytes_text(checkpointed));
  summary += strategy_line(report.strategy);
  return summary + (report.config ? config_line(report) : predicted_line(prediction));
}

/// A line for each linear and attention: name, shape, weights, input, group.
std::vector<Cells> site_lines(const quant::Plan& plan) {
  std::vector<Cells> lines;
  for (const quant::PlannedLinear& linear : plan.linears) {
    lines.push_back({linear.ref.name,
                     fmt::format("{}x{}", linear.ref.out_features, linear.ref.in_features),
                     quant::summary(linear.weights, quant::ArgsRole::kWeights),
                     trainer::input_text(linear.input_activations), linear.group});
  }
  for (const quant::PlannedConv& conv : plan.convs) {
    lines.push_back({conv.ref.name, fmt::format("{}", fmt::join(conv.ref.weight_shape(), "x")),
                     quant::summary(conv.weights, quant::ArgsRole::kWeights),
                     trainer::input_text(conv.input_activations), conv.group});
  }
  for (const quant::PlannedAttention& attention : plan.attentions) {
    lines.push_back({attention.ref.name, attention.products ? "products" : "cache",
                     fmt::format("{}", fmt::join(trainer::operand_names(attention), " ")),
                     quant::summary(attention.args, quant::ArgsRole::kOperands), ""});
  }
  return lines;
}

std::string table_of(const std::vector<Cells>& lines) {
  std::size_t width = 0;
  for (const Cells& line : lines) width = std::max(width, line[0].size());
  std::string table;
  for (const Cells& line : lines)
    table += fmt::format("\n{:<{}} {:>13} {:<19} {:<22} {}", line[0], width, line[1], line[2],
                         line[3], line[4]);
  return table;
}

/// Writes the plan for people. all: lists each linear by itself, else those alike share a line.
std::string text_of_plan(const trainer::PlanReport& report, bool all) {
  std::vector<Cells> lines{{"linear", "shape", "weights", "input", "group"}};
  const std::vector<Cells> sites =
      all ? site_lines(report.plan) : in_ranges(site_lines(report.plan));
  lines.insert(lines.end(), sites.begin(), sites.end());
  const std::vector<std::string>& in_float = report.plan.ignored;
  return summary_of(report, all ? in_float : in_ranges(in_float)) + "\n" + table_of(lines);
}

void plan(const RecipeArguments& arguments, bool all) {
  const trainer::Recipe recipe = arguments.load();
  const trainer::PlanReport report = trainer::plan_report(recipe);
  announce_kernel(recipe);  // mistakes in the recipe come alone
  print(to_json(report), arguments.json, text_of_plan(report, all));
}

}  // namespace

void add_plan(CLI::App& app) {
  auto arguments = std::make_shared<RecipeArguments>();
  auto all = std::make_shared<bool>(false);
  CLI::App* command = add_recipe_command(
      app, "plan",
      "what will be quantized and how, with bytes, memory and time, before anything runs",
      *arguments);
  command->add_flag("--all", *all, "list each linear by itself instead of those alike in a row");
  command->callback([arguments, all] { plan(*arguments, *all); });
}

}  // namespace dualpath::tools
