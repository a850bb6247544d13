#include "trainer/predict/memory_advice.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <new>
#include <string_view>

#include "trainer/predict/config_prediction.h"

namespace dualpath::trainer {
namespace {

constexpr double kMegabyte = 1e6;

std::string size_text(double bytes) {
  return bytes < 1e9 ? fmt::format("{:.0f} MB", std::ceil(bytes / kMegabyte))
                     : fmt::format("{:.1f} GB", bytes / 1e9);
}

/// A recipe and the words for what is changed in it.
struct Change {
  std::string text;
  Recipe recipe;
};

std::vector<Change> changes_of(const Recipe& recipe) {
  std::vector<Change> changes;
  const auto add = [&](const std::string& text, const auto& apply) {
    changes.push_back({text, recipe});
    apply(changes.back().recipe);
  };
  if (!recipe.train.gradient_checkpointing) {
    add("train.gradient_checkpointing=true",
        [](Recipe& changed) { changed.train.gradient_checkpointing = true; });
  }
  if (const std::int64_t batch = recipe.train.per_device_train_batch_size / 2; batch > 0) {
    add(fmt::format("train.per_device_train_batch_size={} with gradient_accumulation_steps={}",
                    batch, 2 * recipe.train.gradient_accumulation_steps),
        [&](Recipe& changed) { changed.train.per_device_train_batch_size = batch; });
  }
  if (const std::int64_t window = recipe.data.window / 2; window > 1) {
    add(fmt::format("data.window={}", window),
        [&](Recipe& changed) { changed.data.window = window; });
  }
  if (recipe.train.learning_rate.weights > 0.0) {
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
                                         const quant::Plan& plan) {
  const double before = training_bytes(recipe, model, plan);
  std::vector<MemorySaving> savings;
  for (const Change& change : changes_of(recipe)) {
    const double saved = before - training_bytes(change.recipe, model, plan);
    if (saved >= kMegabyte) savings.push_back({change.text, saved});
  }
  std::ranges::stable_sort(savings, std::greater(), &MemorySaving::bytes);
  return savings;
}

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return true;
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr) return true;
  return std::string_view(error.what()).find("can't allocate memory") != std::string_view::npos;
}

std::string out_of_memory_text(const std::exception& error, const Experiment& experiment) {
  std::vector<std::string> helps;
  for (const auto& [change, bytes] :
       memory_savings(experiment.recipe, experiment.model, experiment.plan))
    helps.push_back(fmt::format("{} (about {} less)", change, size_text(bytes)));
  const int here = experiment.processes->local_size();
  return fmt::format(
      "out of memory{}; training takes at least {}{}{}", asked_for(error),
      size_text(training_bytes(experiment.recipe, experiment.model, experiment.plan)),
      here > 1 ? fmt::format(" in each of {} processes here", here) : "",
      helps.empty() ? "" : fmt::format("; to lower it: {}", fmt::join(helps, ", or ")));
}

}  // namespace dualpath::trainer
