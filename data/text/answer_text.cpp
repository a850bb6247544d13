#include "data/text/answer_text.h"

#include <utf8proc.h>

#include <algorithm>
#include <numeric>

#include "data/jinja/values/letter_case.h"
#include "data/jinja/values/python_text.h"
#include "data/jinja/values/unicode.h"

namespace dualpath::data {
namespace {

bool is_punctuation(std::uint32_t c) {
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

/// Keeps one row of the table of distances: distances[i] is that of the first i items of `to`.
template <class Item>
std::int64_t distance(const std::vector<Item>& from, const std::vector<Item>& to) {
  std::vector<std::int64_t> distances(to.size() + 1);
  std::iota(distances.begin(), distances.end(), 0);
  for (const Item& item : from) {
    std::int64_t diagonal = distances[0]++;
    for (std::size_t i = 0; i < to.size(); ++i) {
      const std::int64_t replaced = diagonal + (item == to[i] ? 0 : 1);
      diagonal = distances[i + 1];
      distances[i + 1] = std::min({replaced, diagonal + 1, distances[i] + 1});
    }
  }
  return distances.back();
}

}  // namespace

std::string normalized_answer(std::string_view text) {
  const std::string small = jinja::lower(text);
  std::string result;
  bool has_space = false;
  for (std::string_view rest = small; !rest.empty();) {
    const std::string_view character = jinja::first_character(rest);
    const std::uint32_t c = jinja::code_point(character);
    rest.remove_prefix(character.size());
    if (is_punctuation(c)) continue;
    if (jinja::is_space(c)) {
      has_space = true;
      continue;
    }
    if (has_space && !result.empty()) result += ' ';
    has_space = false;
    result += character;
  }
  return result;
}

std::vector<std::string> words_of(std::string_view normalized) {
  std::vector<std::string> words;
  while (!normalized.empty()) {
    const std::size_t end = std::min(normalized.find(' '), normalized.size());
    words.emplace_back(normalized.substr(0, end));
    normalized.remove_prefix(std::min(end + 1, normalized.size()));
  }
  return words;
}

std::vector<std::uint32_t> characters_of(std::string_view normalized) {
  std::vector<std::uint32_t> characters;
  while (!normalized.empty()) {
    const std::string_view character = jinja::first_character(normalized);
    characters.push_back(jinja::code_point(character));
    normalized.remove_prefix(character.size());
  }
  return characters;
}

std::int64_t edit_distance(const std::vector<std::string>& from,
                           const std::vector<std::string>& to) {
  return distance(from, to);
}

std::int64_t edit_distance(const std::vector<std::uint32_t>& from,
                           const std::vector<std::uint32_t>& to) {
  return distance(from, to);
}

}  // namespace dualpath::data
