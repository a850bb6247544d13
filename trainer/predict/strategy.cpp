#include "trainer/predict/strategy.h"

#include <ATen/DeviceAccelerator.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "data/base/bytes_text.h"
#include "data/base/error.h"
#include "data/process/memory.h"
#include "trainer/predict/config_prediction.h"
#include "trainer/predict/memory_advice.h"

namespace dualpath::trainer {
namespace {

/// Bytes that are free on the device that computes.
std::int64_t free_bytes(at::Device device) {
  if (!device.is_cuda()) return available_bytes();
  return static_cast<std::int64_t>(at::accelerator::getMemoryInfo(device.index()).first);
}

std::string limit_text(const Recipe& recipe, std::int64_t limit) {
  return recipe.memory_limit > 0 ? bytes_text(limit) + " of memory_limit"
                                 : bytes_text(limit) + " that are free";
}

[[noreturn]] void refuse_all(const Recipe& recipe, const modules::WeightedNetwork& model,
                             const quant::Plan& plan, const StrategyChoice& choice, int processes) {
  const Strategy least = choice.blockwise ? Strategy::kBlockwise : Strategy::kEndToEnd;
  std::vector<std::string> helps;
  for (const auto& [change, bytes] :
       memory_savings(with_strategy(recipe, least), model, plan, processes))
    helps.push_back(fmt::format("{} (about {} less)", change, bytes_text(bytes)));
  throw UsageError(
      "training takes at least {} end to end{}, more than the {}{}{}",
      bytes_text(choice.end_to_end),
      choice.blockwise ? fmt::format(" and {} blockwise", bytes_text(*choice.blockwise)) : "",
      limit_text(recipe, choice.limit),
      helps.empty() ? "" : "; to lower it: ", fmt::join(helps, ", or "));
}

}  // namespace

Recipe with_strategy(Recipe recipe, Strategy strategy) {
  recipe.train.strategy = strategy;
  if (strategy == Strategy::kBlockwise) recipe.train.control = false;
  return recipe;
}

StrategyChoice choose_strategy(const Recipe& recipe, const modules::WeightedNetwork& model,
                               const quant::Plan& plan, int processes) {
  const std::int64_t before = recipe.model.device.is_cpu() ? resident_bytes() : 0;
  const auto peak = [&](Strategy strategy) {
    return before + static_cast<std::int64_t>(
                        training_bytes(with_strategy(recipe, strategy), model, plan, processes));
  };
  StrategyChoice choice{.end_to_end = peak(Strategy::kEndToEnd)};
  if (why_not_blockwise(recipe).empty()) choice.blockwise = peak(Strategy::kBlockwise);
  choice.limit =
      recipe.memory_limit > 0 ? recipe.memory_limit : before + free_bytes(recipe.model.device);
  const bool fits = choice.end_to_end <= choice.limit,
             fits_blockwise = choice.blockwise && *choice.blockwise <= choice.limit;
  const Strategy wanted = recipe.train.strategy;
  choice.strategy = wanted != Strategy::kAuto ? wanted
                    : fits || !fits_blockwise ? Strategy::kEndToEnd
                                              : Strategy::kBlockwise;
  const bool may_not_fit = wanted != Strategy::kAuto && recipe.memory_limit == 0;
  if (choice.peak() > choice.limit && !may_not_fit)
    refuse_all(recipe, model, plan, choice, processes);
  choice.why = choice.strategy == Strategy::kBlockwise && wanted == Strategy::kAuto
                   ? fmt::format("since end to end takes {} of the {}",
                                 bytes_text(choice.end_to_end), limit_text(recipe, choice.limit))
                   : fmt::format("which takes {} of the {}", bytes_text(choice.peak()),
                                 limit_text(recipe, choice.limit));
  return choice;
}

}  // namespace dualpath::trainer
