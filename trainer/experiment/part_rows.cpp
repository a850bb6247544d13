#include "trainer/experiment/part_rows.h"

#include <algorithm>

#include "modules/execute/compute_weights.h"
#include "quant/stored/layout.h"
#include "quant/transform/transform.h"
#include "trainer/experiment/rows.h"

namespace dualpath::trainer {
namespace {

constexpr const char* kLanguageModel = "language_model";

/// The parts that hold something quantized, in the order of execution.
std::vector<std::string> parts_of(const quant::Plan& plan, const modules::ModelConfig& config) {
  std::vector<std::string> parts;
  const auto add = [&](const std::string& module) {
    std::string part = part_of(module, config);
    if (std::ranges::find(parts, part) == parts.end()) parts.push_back(std::move(part));
  };
  for (const modules::Tower& tower : config.towers) {
    const auto holds = [&](const std::string& part) {
      return std::ranges::any_of(plan.sites, [&](const quant::PlannedSite& site) {
        return part_of(site.name(), config) == part;
      });
    };
    if (holds(tower.name)) add(tower.name);
    if (tower.alignment && holds(tower.alignment->name)) add(tower.alignment->name);
  }
  for (const quant::PlannedSite& site : plan.sites) add(site.name());
  return parts;
}

}  // namespace

std::string part_of(const std::string& module, const modules::ModelConfig& config) {
  const auto lies_in = [&](const std::string& part) {
    return module == part || module.starts_with(part + ".");
  };
  for (const modules::Tower& tower : config.towers) {
    // A tower's path may be the beginning of its alignment's.
    if (tower.alignment && lies_in(tower.alignment->name)) return tower.alignment->name;
    if (lies_in(tower.name)) return tower.name;
  }
  return kLanguageModel;
}

PartRows::PartRows(const Experiment& experiment, const TrainedPaths& paths)
    : scales_(paths.calibration.scales(experiment.recipe.model.device)) {
  const auto& [recipe, model, plan, processes] = experiment;
  const std::shared_ptr<modules::ComputeWeights>& exact = paths.control->executor.shared_weights();
  rows_ = {float_row(model, recipe.model.dtype, paths.control->executor)};
  for (const std::string& name : parts_of(plan, model.config)) {
    parts_.push_back(std::make_unique<Part>());
    Part& part = *parts_.back();
    part.plan = plan.restricted(
        [&](const std::string& module) { return part_of(module, model.config) == name; });
    const auto weights = part.plan.folds.empty() ? model.weights
                                                 : quant::transformed(model.weights, part.plan,
                                                                      paths.calibration.transforms);
    part.executor = std::make_unique<quant::QuantizedExecutor>(
        std::make_shared<modules::ComputeWeights>(weights, exact), part.plan, scales_,
        recipe.compute);
    rows_.push_back({.name = name,
                     .executor = part.executor.get(),
                     .bytes = quant::total_bytes(
                         quant::planned_bytes(part.plan, *model.weights, recipe.model.dtype))});
  }
}

}  // namespace dualpath::trainer
