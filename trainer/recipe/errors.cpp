#include "trainer/recipe/errors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "data/base/error.h"

namespace dualpath::trainer {

void RecipeErrors::add(Place place, std::string_view key, std::string_view message) {
  const std::string what = key.empty() ? std::string(message) : fmt::format("{}: {}", key, message);
  const std::string line = place.line == 0
                               ? fmt::format("--set {}", what)
                               : fmt::format("{}:{}:{}: {}", file_, place.line, place.column, what);
  mistakes_.push_back({place, line});
}

void RecipeErrors::throw_if_any() const {
  if (mistakes_.empty()) return;
  std::vector<Mistake> sorted = mistakes_;
  std::ranges::stable_sort(sorted, {}, &Mistake::place);
  std::vector<std::string> lines;
  for (const Mistake& mistake : sorted) lines.push_back(mistake.line);
  throw UsageError("{}", fmt::join(lines, "\n"));
}

}  // namespace dualpath::trainer
