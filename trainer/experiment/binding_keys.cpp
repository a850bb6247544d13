#include "trainer/experiment/binding_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "trainer/recipe/recipe.h"

namespace dualpath::trainer {
namespace {

std::vector<std::string> lines_of(const Recipe& recipe) {
  std::vector<std::string> lines;
  std::istringstream yaml(to_yaml(recipe));
  for (std::string line; std::getline(yaml, line);) lines.push_back(line);
  return lines;
}

void clear_paths(Recipe& recipe) {
  recipe.model.path.clear();
  recipe.data.train.clear();
  recipe.data.selection.clear();
  recipe.data.test.clear();
  recipe.data.out_of_domain.clear();
  for (EvaluateSet& set : recipe.evaluate.sets) set.path.clear();
  recipe.train.output_dir.clear();
  recipe.train.teacher.clear();
  recipe.train.feature_cache = {};  // holds what would be computed to the same bits
  recipe.export_.output_dir.clear();
}

}  // namespace

std::vector<std::string> common_lines(Recipe recipe) {
  clear_paths(recipe);
  recipe.export_ = {};
  recipe.num_threads = 0;
  recipe.train.report_to = {};
  recipe.train.logging_steps = {};
  return lines_of(recipe);
}

std::vector<std::string> binding_lines(Recipe recipe) {
  clear_paths(recipe);
  recipe.evaluate = {};
  recipe.export_ = {};
  recipe.memory_limit = 0;
  recipe.num_threads = 0;
  recipe.device = {};                           // a run may go on elsewhere
  recipe.compute = {};                          // changes no bit
  recipe.train.strategy = {};                   // a run's folder tells, see run_training
  recipe.train.gradient_checkpointing = false;  // changes no bit, either
  recipe.train.shard_optimizer = false;         // changes where the moments lie
  recipe.train.report_to = {};
  recipe.train.save_steps = {};
  recipe.train.save_total_limit = {};
  recipe.train.logging_steps = {};
  return lines_of(recipe);
}

std::string first_difference(const std::vector<std::string>& there,
                             const std::vector<std::string>& here) {
  const auto [a, b] = std::mismatch(there.begin(), there.end(), here.begin(), here.end());
  const auto text = [](auto line, auto end) {
    return line == end ? std::string("(nothing)") : *line;
  };
  if (a == there.end() && b == here.end()) return "";
  return fmt::format("\"{}\" there, \"{}\" here", text(a, there.end()), text(b, here.end()));
}

}  // namespace dualpath::trainer
