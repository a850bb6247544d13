#include "data/text/normalized.h"

#include <utf8proc.h>

#include <cstdint>
#include <vector>

#include "data/jinja/values/letter_case.h"
#include "data/tokenizer/nfc.h"

namespace dualpath::data {
namespace {

/// A character and where it lies.
struct Character {
  std::string_view bytes;
  std::int32_t code = 0;
};

std::vector<Character> characters_of(std::string_view text) {
  std::vector<Character> characters;
  while (!text.empty()) {
    std::int32_t code = 0;
    const auto length = static_cast<std::size_t>(
        utf8proc_iterate(reinterpret_cast<const std::uint8_t*>(text.data()),
                         static_cast<utf8proc_ssize_t>(text.size()), &code));
    characters.push_back({text.substr(0, length), code});
    text.remove_prefix(length);
  }
  return characters;
}

/// Whether a character is a letter or a number.
bool begins_word(const Character& character) {
  const utf8proc_category_t category = utf8proc_category(character.code);
  const bool is_letter = category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
  return is_letter || (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
}

bool is_mark(const Character& character) {
  const utf8proc_category_t category = utf8proc_category(character.code);
  return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
}

bool is_apostrophe(const Character& character) {
  constexpr std::int32_t kTypewriters = '\'', kPrinters = 0x2019;
  return character.code == kTypewriters || character.code == kPrinters;
}

}  // namespace

std::string normalized(std::string_view text) {
  const std::string lower = jinja::lower(to_nfc(text));
  const std::vector<Character> characters = characters_of(lower);
  std::string words;
  bool is_inside = false;
  for (std::size_t i = 0; i < characters.size(); ++i) {
    const Character& character = characters[i];
    const bool goes_on = i + 1 < characters.size() && begins_word(characters[i + 1]);
    const bool joins = is_inside && goes_on && is_apostrophe(character);
    const bool is_kept = joins || begins_word(character) || (is_inside && is_mark(character));
    if (is_kept && !is_inside && !words.empty()) words += ' ';
    if (is_kept) words += joins ? std::string_view("'") : character.bytes;
    is_inside = is_kept;
  }
  return words;
}

}  // namespace dualpath::data
