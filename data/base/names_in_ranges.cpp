#include "data/base/names_in_ranges.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string_view>

namespace dualpath {
namespace {

using Row = std::vector<std::string>;

/// A part of a name that is a number, and what comes before it.
struct Index {
  std::string_view before;  // with the dot
  std::string_view digits;
  std::uint32_t value = 0;
};

/// The part at `position`, counted from 0, where it is a number without leading zeros.
std::optional<Index> index_at(std::string_view name, std::size_t position) {
  std::size_t start = 0;
  for (std::size_t i = 0; i < position; ++i) {
    start = name.find('.', start) + 1;
    if (start == 0) return std::nullopt;  // npos + 1
  }
  Index index{name.substr(0, start), name.substr(start, name.find('.', start) - start)};
  const char* const end = index.digits.data() + index.digits.size();
  const auto [stop, error] = std::from_chars(index.digits.data(), end, index.value);
  const bool is_number = !index.digits.empty() && error == std::errc() && stop == end;
  if (!is_number || (index.digits[0] == '0' && index.digits.size() > 1)) return std::nullopt;
  return index;
}

/// The row with `text` in place of its name's index, and of that index in cells that begin like the
/// name.
Row with_index(const Row& row, const Index& index, std::string_view text) {
  const std::string old = fmt::format("{}{}", index.before, index.digits);
  Row changed = row;
  for (std::string& cell : changed) {
    const bool begins =
        cell.starts_with(old) && (cell.size() == old.size() || cell[old.size()] == '.');
    if (begins) cell = fmt::format("{}{}{}", index.before, text, cell.substr(old.size()));
  }
  return changed;
}

/// "{0-10,12}", or the number alone.
std::string ranges_text(const std::set<std::uint32_t>& numbers) {
  std::vector<std::string> ranges;
  for (auto first = numbers.begin(); first != numbers.end();) {
    auto last = first, after = std::next(first);
    while (after != numbers.end() && *after == *last + 1) last = after++;
    ranges.push_back(first == last ? fmt::to_string(*first) : fmt::format("{}-{}", *first, *last));
    first = after;
  }
  return numbers.size() == 1 ? ranges.front() : fmt::format("{{{}}}", fmt::join(ranges, ","));
}

/// Rows that differ at one position only.
struct Alike {
  Row row;
  std::set<std::uint32_t> numbers;
};

std::vector<Row> folded_at(const std::vector<Row>& rows, std::size_t position) {
  std::vector<Alike> all;
  std::map<Row, std::size_t> seen;
  for (const Row& row : rows) {
    const std::optional<Index> index = index_at(row.front(), position);
    const Row key = index ? with_index(row, *index, "*") : row;
    const auto [found, is_new] = seen.try_emplace(key, all.size());
    if (is_new) all.push_back({row, {}});
    if (index) all[found->second].numbers.insert(index->value);
  }
  std::vector<Row> folded;
  for (const auto& [row, numbers] : all) {
    const std::optional<Index> index = index_at(row.front(), position);
    folded.push_back(index ? with_index(row, *index, ranges_text(numbers)) : row);
  }
  return folded;
}

}  // namespace

std::vector<Row> in_ranges(std::vector<Row> rows) {
  std::size_t positions = 0;
  for (const Row& row : rows) {
    const auto dots = static_cast<std::size_t>(std::ranges::count(row.front(), '.'));
    positions = std::max(positions, dots + 1);
  }
  // The last position comes first: experts of a layer are folded before layers.
  while (positions > 0) rows = folded_at(rows, --positions);
  return rows;
}

std::vector<std::string> in_ranges(const std::vector<std::string>& names) {
  std::vector<Row> rows;
  for (const std::string& name : names) rows.push_back({name});
  std::vector<std::string> folded;
  for (const Row& row : in_ranges(std::move(rows))) folded.push_back(row.front());
  return folded;
}

}  // namespace dualpath
