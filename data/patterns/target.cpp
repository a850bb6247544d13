#include "data/patterns/target.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "data/base/error.h"
#include "data/base/nearest.h"
#include "data/patterns/python_pattern.h"

namespace dualpath::data {
namespace {

constexpr std::string_view kPrefix = "re:";

bool is_pattern(std::string_view target) { return target.starts_with(kPrefix); }

data::PythonPattern pattern_of(const std::string& target) {
  return data::PythonPattern(std::string_view(target).substr(kPrefix.size()));
}

bool is_word_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// The words of a pattern that stand for themselves: down_proj of "re:.*mlp\d+.down_proj$". Short
/// ones say too little.
std::vector<std::string> words_of(std::string_view pattern) {
  constexpr std::size_t kShortest = 3;
  std::vector<std::string> words;
  std::string word;
  for (std::size_t i = 0; i <= pattern.size(); ++i) {
    const bool escapes = i < pattern.size() && pattern[i] == '\\';
    if (i < pattern.size() && is_word_letter(pattern[i])) {
      word += pattern[i];
      continue;
    }
    if (word.size() >= kShortest) words.push_back(word);
    word.clear();
    if (escapes) ++i;
  }
  return words;
}

std::vector<std::string> parts_of(const std::vector<std::string>& names) {
  std::set<std::string> parts;
  for (const std::string& name : names) {
    for (std::size_t start = 0; start <= name.size();) {
      const std::size_t end = std::min(name.find('.', start), name.size());
      parts.insert(name.substr(start, end - start));
      start = end + 1;
    }
  }
  return {parts.begin(), parts.end()};
}

/// Hints at a misspelt word: the first word of the pattern that is in no name.
std::string hint_for_pattern(const std::string& pattern, const std::vector<std::string>& names) {
  for (const std::string& word : words_of(std::string_view(pattern).substr(kPrefix.size()))) {
    const bool is_known = std::ranges::any_of(
        names, [&](const std::string& name) { return name.find(word) != name.npos; });
    if (!is_known) return fmt::format("nearest to {}: {}", word, nearest(word, parts_of(names)));
  }
  return fmt::format("one is called {}", names.front());
}

/// Hints at a pattern if `target` is the end of a name, else at the nearest name.
std::string hint_for_name(const std::string& target, const std::vector<std::string>& names) {
  const bool is_end = std::ranges::any_of(
      names, [&](const std::string& name) { return name.ends_with("." + target); });
  return fmt::format("nearest: {}", is_end ? "re:.*" + target : nearest(target, names));
}

}  // namespace

bool matches(const std::string& target, const std::string& name) {
  if (!is_pattern(target)) return target == name;
  try {
    return pattern_of(target).matches_start(name);
  } catch (const Error& error) {
    throw UsageError("{}", error.what());
  }
}

bool matches_any(const std::vector<std::string>& targets, const std::string& name) {
  return std::any_of(targets.begin(), targets.end(),
                     [&](const auto& target) { return matches(target, name); });
}

std::optional<std::string> target_mistake(const std::string& target) {
  try {
    if (is_pattern(target)) pattern_of(target);
    return std::nullopt;
  } catch (const Error& error) {
    return error.what();
  }
}

std::string unmatched(const std::string& target, const std::string& what,
                      const std::vector<std::string>& names) {
  const std::string hint = names.empty()        ? "there is none"
                           : is_pattern(target) ? hint_for_pattern(target, names)
                                                : hint_for_name(target, names);
  return fmt::format("\"{}\" matches no {}; {}", printable(target), what, hint);
}

}  // namespace dualpath::data
