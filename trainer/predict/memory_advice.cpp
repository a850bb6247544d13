#include "trainer/predict/memory_advice.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <string_view>

#include "data/base/bytes_text.h"
#include "trainer/predict/config_prediction.h"

namespace dualpath::trainer {
namespace {

constexpr double kLeastWorth = 1e5;  // bytes

/// A recipe and the words for what is changed in it.
struct Change {
  std::string text;
  Recipe recipe;
};

bool trains_besides_weights(const TrainableOptions& rates) {
  return rates.corrections > 0.0 || rates.activation_scales > 0.0 || rates.norm_weights > 0.0;
}

std::vector<Change> changes_of(const Recipe& recipe, int processes) {
  std::vector<Change> changes;
  const auto add = [&](const std::string& text, const auto& apply) {
    changes.push_back({text, recipe});
    apply(changes.back().recipe);
  };
  if (!recipe.train.gradient_checkpointing) {
    add("train.gradient_checkpointing=true",
        [](Recipe& changed) { changed.train.gradient_checkpointing = true; });
  }
  if (recipe.train.per_device_train_batch_size % 2 == 0) {
    const std::int64_t batch = recipe.train.per_device_train_batch_size / 2;
    add(fmt::format("train.per_device_train_batch_size={} with gradient_accumulation_steps={}",
                    batch, 2 * recipe.train.gradient_accumulation_steps),
        [&](Recipe& changed) { changed.train.per_device_train_batch_size = batch; });
  }
  if (const std::int64_t window = recipe.data.window / 2; window > 1) {
    add(fmt::format("data.window={}", window),
        [&](Recipe& changed) { changed.data.window = window; });
  }
  if (recipe.train.strategy == Strategy::kBlockwise) {
    if (recipe.train.block_size > 1)
      add("train.block_size=1", [](Recipe& changed) { changed.train.block_size = 1; });
    if (const std::int64_t steps = recipe.train.max_steps / 2; steps > 0)
      add(fmt::format("train.max_steps={}", steps),
          [&](Recipe& changed) { changed.train.max_steps = steps; });
  } else if (why_not_blockwise(recipe).empty()) {
    add("train.strategy=blockwise",
        [](Recipe& changed) { changed.train.strategy = Strategy::kBlockwise; });
  }
  if (processes > 1 && !recipe.train.shard_optimizer) {
    add("train.shard_optimizer=true",
        [](Recipe& changed) { changed.train.shard_optimizer = true; });
  }
  const TrainableOptions& rates = recipe.train.learning_rate;
  if (rates.weights > 0.0 && trains_besides_weights(rates)) {
    add("train.learning_rate.weights=0",
        [](Recipe& changed) { changed.train.learning_rate.weights = 0.0; });
  }
  return changes;
}

/// Quotes how much torch says that it was asked for: ": 1024 bytes more were asked for". Empty if
/// it does not say.
std::string asked_for(const std::exception& error) {
  const std::string text = error.what();
  for (const std::string_view begin : {"you tried to allocate ", "Tried to allocate "}) {
    const std::size_t found = text.find(begin);
    if (found == std::string::npos) continue;
    const std::string rest = text.substr(found + begin.size());
    return fmt::format(": {} more were asked for",
                       rest.substr(0, std::min(rest.find(". "), rest.find('\n'))));
  }
  return "";
}

}  // namespace

std::vector<MemorySaving> memory_savings(const Recipe& recipe,
                                         const modules::WeightedNetwork& model,
                                         const quant::Plan& plan, int processes) {
  const double before = training_bytes(recipe, model, plan, processes);
  std::vector<MemorySaving> savings;
  for (const Change& change : changes_of(recipe, processes)) {
    const double saved = before - training_bytes(change.recipe, model, plan, processes);
    if (saved >= kLeastWorth) savings.push_back({change.text, saved});
  }
  std::ranges::stable_sort(savings, std::greater(), &MemorySaving::bytes);
  return savings;
}

namespace {

/// "; training takes at least …; to lower it: …".
std::string advice(const Experiment& experiment) {
  const auto& [recipe, model, plan, processes] = experiment;
  const int all = processes->size(), here = processes->local_size();
  std::vector<std::string> helps;
  for (const auto& [change, bytes] : memory_savings(recipe, model, plan, all))
    helps.push_back(fmt::format("{} (about {} less)", change, bytes_text(bytes)));
  return fmt::format(
      "; training takes at least {}{}{}", bytes_text(training_bytes(recipe, model, plan, all)),
      here > 1 ? fmt::format(" in each of {} processes here", here) : "",
      helps.empty() ? "" : fmt::format("; to lower it: {}", fmt::join(helps, ", or ")));
}

}  // namespace

std::string out_of_memory_text(const std::exception& error, const Experiment& experiment) {
  const std::string fault = "out of memory" + asked_for(error);
  try {
    return fault + advice(experiment);
  } catch (const std::exception&) {  // the advice has run out of memory, too
    return fault;
  }
}

}  // namespace dualpath::trainer
