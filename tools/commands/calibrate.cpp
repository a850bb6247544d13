#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/commands/command.h"
#include "trainer/experiment/calibrated_samples.h"
#include "trainer/report/json.h"
#include "trainer/runs/runs.h"

namespace dualpath::tools {
namespace {

/// Counts by modality, "  text 96, image 32"; empty if all rows stand for one.
std::string counts_text(const quant::ModalityRanges& ranges) {
  if (ranges.size() < 2) return "";
  std::vector<std::string> counts;
  for (const auto& [modality, range] : ranges)
    counts.push_back(fmt::format("{} {}", modules::name_of(modality), range.count));
  return fmt::format("  {}", fmt::join(counts, ", "));
}

/// A line with the scale that the calibration holds under this name.
std::string row_of(const quant::Calibration& calibration, const std::string& name,
                   const quant::ObservedRange& range) {
  return fmt::format("{:<44} {:>12.5g} {:>12.5g} {:>12.5g} {:>9}", name, range.min, range.max,
                     calibration.scale_tensors.at(name).item<float>(), range.count);
}

/// The samples that calibrate by what they show: "calibrated on 32 samples: text 8, image 24".
std::string samples_text(const trainer::CalibratedSamples& samples) {
  std::vector<std::string> counts;
  for (const auto& [modality, count] : samples.counts)
    counts.push_back(fmt::format("{} {}", modules::name_of(modality), count));
  return fmt::format("calibrated on {} samples: {}\n", samples.numbers.size(),
                     fmt::join(counts, ", "));
}

std::string table_of(const quant::Calibration& calibration) {
  if (calibration.ranges.empty() && calibration.smoothing().factors.empty())
    return "there is no scale to calibrate: no input has a static one";
  std::string table =
      fmt::format("{:<44} {:>12} {:>12} {:>12} {:>9}\n", "site", "min", "max", "scale", "count");
  for (const auto& [site, range] : calibration.ranges) {
    const quant::ModalityRanges& ranges = calibration.modality_ranges.at(site);
    if (calibration.scale_tensors.contains(site)) {
      table += row_of(calibration, site, range) + counts_text(ranges) + "\n";
      continue;
    }
    for (const auto& [modality, own] : ranges) {
      const std::string name = fmt::format("{}.{}", site, modules::name_of(modality));
      table += row_of(calibration, name, own) + "\n";
    }
  }
  const auto& [factors, strengths] = calibration.smoothing();
  if (!factors.empty())
    table +=
        fmt::format("{:<44} {:>12} {:>12} {:>12}\n", "smoothed", "strength", "least", "largest");
  for (const auto& [group, factor] : factors) {
    const auto strength = strengths.find(group);
    table += fmt::format("{:<44} {:>12} {:>12.5g} {:>12.5g}\n", group,
                         strength == strengths.end() ? "none" : fmt::to_string(strength->second),
                         factor.min().item<float>(), factor.max().item<float>());
  }
  return table;
}

void calibrate(const RecipeArguments& arguments) {
  run_together(arguments, [&](const auto& processes) {
    const OpenRun run(arguments.load(*processes), arguments.access(), processes);
    announce_kernel(run.experiment.recipe, *processes);
    const quant::Calibration calibration =
        trainer::run_calibration(run.experiment, run.texts, run.directory);
    const trainer::CalibratedSamples samples =
        trainer::calibrated_samples(run.experiment, run.texts);
    nlohmann::json result = trainer::to_json(calibration);
    result["samples"] = trainer::counts_json(samples.counts);
    print(result, arguments.json,
          fmt::format("{}\n{}written to {}", table_of(calibration),
                      samples.numbers.empty() ? "" : samples_text(samples),
                      run.directory.calibration().string()));
  });
}

}  // namespace

void add_calibrate(CLI::App& app) {
  auto arguments = std::make_shared<RecipeArguments>();
  CLI::App* command = add_recipe_command(
      app, "calibrate", "run the observers only and write the activation scales", *arguments);
  command->add_flag("--restart", arguments->restart, "remove what the run directory holds first");
  add_processes(*command, *arguments);
  command->callback([arguments] { calibrate(*arguments); });
}

}  // namespace dualpath::tools
