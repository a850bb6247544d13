#include "data/base/recipe_mistakes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace dualpath {
namespace {

std::string text_of(const std::vector<RecipeMistake>& mistakes) {
  std::vector<std::string> lines;
  for (const auto& [key, message] : mistakes) lines.push_back(fmt::format("{}: {}", key, message));
  return fmt::format("{}", fmt::join(lines, "\n"));
}

}  // namespace

RecipeMistakes::RecipeMistakes(std::vector<RecipeMistake> mistakes)
    : UsageError("{}", text_of(mistakes)), mistakes_(std::move(mistakes)) {}

}  // namespace dualpath
