#include "quant/target.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>

#include "data/base/error.h"
#include "data/base/nearest.h"

namespace dualpath::quant {

bool matches(const std::string& target, const std::string& name) {
  constexpr std::string_view kPrefix = "re:";
  if (!target.starts_with(kPrefix)) return target == name;
  try {
    const std::regex pattern(target.substr(kPrefix.size()));
    return std::regex_search(name, pattern, std::regex_constants::match_continuous);
  } catch (const std::regex_error&) {
    throw UsageError("\"{}\" is not a regular expression", target);
  }
}

bool matches_any(const std::vector<std::string>& targets, const std::string& name) {
  return std::any_of(targets.begin(), targets.end(),
                     [&](const auto& target) { return matches(target, name); });
}

std::string unmatched(const std::string& target, const std::string& what,
                      const std::vector<std::string>& names) {
  return fmt::format("\"{}\" matches no {}; nearest: {}", target, what, nearest(target, names));
}

}  // namespace dualpath::quant
