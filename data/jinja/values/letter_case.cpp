#include "data/jinja/values/letter_case.h"

#include "data/jinja/values/python_text.h"
#include "data/jinja/values/unicode.h"

namespace dualpath::data::jinja {
namespace {

/// Whether the capital sigma between the two ends a word: letters before it, none behind.
/// Characters that may stand inside a word are not counted.
bool ends_word(std::string_view before, std::string_view after) {
  while (!before.empty() && is_case_ignorable(code_point(last_character(before))))
    before.remove_suffix(last_character(before).size());
  if (before.empty() || !is_cased(code_point(last_character(before)))) return false;
  while (!after.empty() && is_case_ignorable(code_point(first_character(after))))
    after.remove_prefix(first_character(after).size());
  return after.empty() || !is_cased(code_point(first_character(after)));
}

/// The small form of the character that starts at `place`.
std::string lower_at(std::string_view text, std::size_t place) {
  constexpr std::uint32_t kCapitalSigma = 0x3A3;
  const std::string_view character = first_character(text.substr(place));
  const std::uint32_t c = code_point(character);
  if (c != kCapitalSigma) return lower_of(c);
  return ends_word(text.substr(0, place), text.substr(place + character.size())) ? "ς" : "σ";
}

template <class Change>
std::string changed(std::string_view text, const Change& change) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t place = 0; place < text.size();) {
    const std::string_view character = first_character(text.substr(place));
    result += change(code_point(character), place);
    place += character.size();
  }
  return result;
}

template <class Wanted, class Other>
bool all_cased_are(std::string_view text, const Wanted& wanted, const Other& other) {
  bool has_one = false;
  for (; !text.empty(); text.remove_prefix(first_character(text).size())) {
    const std::uint32_t c = code_point(first_character(text));
    if (other(c)) return false;
    has_one = has_one || wanted(c);
  }
  return has_one;
}

bool is_title(std::uint32_t c) { return is_cased(c) && !is_lowercase(c) && !is_uppercase(c); }

}  // namespace

std::string upper(std::string_view text) {
  return changed(text, [](std::uint32_t c, std::size_t) { return upper_of(c); });
}

std::string lower(std::string_view text) {
  return changed(text, [&](std::uint32_t, std::size_t place) { return lower_at(text, place); });
}

std::string case_folded(std::string_view text) {
  return changed(text, [](std::uint32_t c, std::size_t) { return fold_of(c); });
}

std::string capitalized(std::string_view text) {
  return changed(text, [&](std::uint32_t c, std::size_t place) {
    return place == 0 ? title_of(c) : lower_at(text, place);
  });
}

std::string titled(std::string_view text) {
  bool inside = false;
  return changed(text, [&](std::uint32_t c, std::size_t place) {
    std::string shown = inside ? lower_at(text, place) : title_of(c);
    inside = is_cased(c);
    return shown;
  });
}

std::string title_words(std::string_view text) {
  constexpr std::string_view kBefore = "-({[<";
  const auto separates = [&](std::string_view character) {
    return is_space(character) || kBefore.find(character) != kBefore.npos;
  };
  std::string result;
  while (!text.empty()) {
    const std::string_view first = first_character(text);
    std::size_t end = first.size();
    while (end < text.size() && !separates(first_character(text.substr(end))))
      end += first_character(text.substr(end)).size();
    if (separates(first)) end = first.size();
    result += upper(first) + lower(text.substr(first.size(), end - first.size()));
    text.remove_prefix(end);
  }
  return result;
}

bool is_upper_text(std::string_view text) {
  return all_cased_are(text, is_uppercase,
                       [](std::uint32_t c) { return is_lowercase(c) || is_title(c); });
}

bool is_lower_text(std::string_view text) {
  return all_cased_are(text, is_lowercase,
                       [](std::uint32_t c) { return is_uppercase(c) || is_title(c); });
}

}  // namespace dualpath::data::jinja
