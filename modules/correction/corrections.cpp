#include "modules/correction/corrections.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>

#include "data/base/error.h"
#include "data/base/generator.h"
#include "data/base/recipe_mistakes.h"
#include "data/patterns/target.h"

namespace dualpath::modules {

void check_ignored(const CorrectionOptions& options, const std::vector<CorrectableStage>& stages) {
  std::vector<std::string> names;
  for (const CorrectableStage& stage : stages) names.push_back(stage.name);
  std::vector<RecipeMistake> mistakes;
  for (std::size_t i = 0; i < options.ignore.size(); ++i) {
    const std::string& target = options.ignore[i];
    const bool found = std::any_of(names.begin(), names.end(),
                                   [&](const auto& name) { return data::matches(target, name); });
    if (!found)
      mistakes.push_back({fmt::format("correction.ignore[{}]", i),
                          data::unmatched(target, "stage with a quantized linear", names)});
  }
  if (!mistakes.empty()) throw RecipeMistakes(std::move(mistakes));
}

Corrections::Corrections(const std::vector<CorrectableStage>& stages,
                         const CorrectionOptions& options, std::uint64_t seed, at::Device device) {
  check_ignored(options, stages);
  for (const auto& [name, width] : stages) {
    if (data::matches_any(options.ignore, name)) continue;
    by_stage_.emplace(
        name, DualPathCorrection(width, options, Generator::derived(seed, name).next(), device));
  }
}

torch::Tensor Corrections::apply(const std::string& stage, const torch::Tensor& hidden) const {
  const auto found = by_stage_.find(stage);
  if (found == by_stage_.end()) return hidden;
  DualPathCorrection correction = found->second;  // a shared handle: forward is not const in torch
  return correction(hidden);
}

std::vector<std::string> Corrections::stages() const {
  std::vector<std::string> names;
  for (const auto& [stage, correction] : by_stage_) names.push_back(stage);
  return names;
}

std::int64_t Corrections::width(const std::string& stage) const {
  return by_stage_.at(stage)->down->weight.size(1);
}

NamedTensors Corrections::parameters() const {
  NamedTensors parameters;
  for (const auto& [stage, correction] : by_stage_) {
    for (const auto& item : correction->named_parameters())
      parameters[stage + "." + item.key()] = item.value();
  }
  return parameters;
}

void Corrections::load(const NamedTensors& values, const std::string& where) {
  const torch::NoGradGuard no_grad;
  for (auto& [name, parameter] : parameters()) {
    const auto value = values.find(name);
    if (value == values.end()) throw Error("{}: {} is missing", where, name);
    if (value->second.sizes() != parameter.sizes()) throw Error("{}: {}: wrong shape", where, name);
    parameter.copy_(value->second);
  }
}

std::int64_t Corrections::parameter_count() const {
  std::int64_t count = 0;
  for (const auto& [name, parameter] : parameters()) count += parameter.numel();
  return count;
}

double Corrections::norm(const std::string& stage) const {
  const torch::NoGradGuard no_grad;
  const DualPathCorrectionImpl& correction = *by_stage_.at(stage);
  const auto square = [](const torch::Tensor& t) { return t.square().sum().item<double>(); };
  const double up = square(correction.up->weight) + square(correction.up->bias);
  return std::sqrt(square(correction.alpha) * up + square(correction.beta));
}

}  // namespace dualpath::modules
