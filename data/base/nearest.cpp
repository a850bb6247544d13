#include "data/base/nearest.h"

#include <algorithm>

namespace dualpath {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Levenshtein distance, a row at a time. Another case of a letter is half a change.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  constexpr std::size_t kChange = 2, kCase = 1;
  std::vector<std::size_t> row;
  for (std::size_t j = 0; j <= b.size(); ++j) row.push_back(j * kChange);
  for (const char c : a) {
    std::size_t diagonal = row[0];
    row[0] += kChange;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t cost = c == b[j] ? 0 : lower(c) == lower(b[j]) ? kCase : kChange;
      const std::size_t replaced = diagonal + cost;
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + kChange, row[j + 1] + kChange});
    }
  }
  return row.back();
}

}  // namespace

std::string nearest(std::string_view wanted, const std::vector<std::string>& names) {
  return *std::min_element(names.begin(), names.end(), [&](const auto& a, const auto& b) {
    return edit_distance(wanted, a) < edit_distance(wanted, b);
  });
}

}  // namespace dualpath
