#include "quant/transform/transform.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/utils.h>

#include "quant/transform/smoothed_weights.h"

namespace dualpath::quant {
namespace {

using Weights = std::shared_ptr<const modules::WeightStore>;

Weights applied(Weights weights, const Plan& plan, const Smoothing& smoothing) {
  return smoothed(std::move(weights), plan, smoothing.factors);
}

}  // namespace

std::vector<TransformKind> transforms_of(const Plan& plan) {
  if (plan.folds.empty()) return {};
  return {TransformKind::kSmoothing};
}

std::string row_prefix(const Plan& plan) {
  std::vector<std::string_view> words;
  for (const TransformKind kind : transforms_of(plan)) words.push_back(name_in(kTransforms, kind));
  return fmt::format("{}", fmt::join(words, "_"));
}

Weights transformed(Weights weights, const Plan& plan, const Transforms& transforms) {
  TORCH_CHECK(transforms.size() <= transforms_of(plan).size(),
              "a calibration of another plan's transforms");
  for (const Transform& transform : transforms) {
    weights = std::visit(
        [&](const auto& found) { return applied(std::move(weights), plan, found); }, transform);
  }
  return weights;
}

}  // namespace dualpath::quant
