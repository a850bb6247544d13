#include "data/jinja/values/python_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "data/base/utf8.h"
#include "data/jinja/values/unicode.h"

namespace dualpath::data::jinja {
namespace {

std::string escaped(std::uint32_t c) {
  if (c < 0x100) return fmt::format("\\x{:02x}", c);
  return c < 0x10000 ? fmt::format("\\u{:04x}", c) : fmt::format("\\U{:08x}", c);
}

bool ends_line(std::string_view character) {
  const std::uint32_t c = code_point(character);
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

std::size_t limit_of(std::int64_t most) {
  return most < 0 ? std::numeric_limits<std::size_t>::max() : static_cast<std::size_t>(most);
}

std::vector<std::string_view> split_at_spaces(std::string_view text, std::size_t most) {
  std::vector<std::string_view> parts;
  text = stripped(text, Side::kLeft);
  while (!text.empty()) {
    if (parts.size() == most) {
      parts.push_back(text);
      break;
    }
    std::size_t end = 0;
    while (end < text.size()) {
      const std::string_view character = first_character(text.substr(end));
      if (is_space(character)) break;
      end += character.size();
    }
    parts.push_back(text.substr(0, end));
    text = stripped(text.substr(end), Side::kLeft);
  }
  return parts;
}

}  // namespace

std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> result;
  while (!text.empty()) {
    result.push_back(first_character(text));
    text.remove_prefix(result.back().size());
  }
  return result;
}

std::string_view first_character(std::string_view text) {
  return text.substr(0, leading_sequence(text).length);
}

std::string_view last_character(std::string_view text) {
  std::size_t start = text.size() - 1;
  while (start > 0 && (text[start] & 0xC0) == 0x80) --start;
  return text.substr(start);
}

std::uint32_t code_point(std::string_view character) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(character[i]));
  };
  if (character.size() == 1) return byte(0);
  std::uint32_t value = byte(0) & (0xFFU >> (character.size() + 1));
  for (std::size_t i = 1; i < character.size(); ++i) value = value << 6 | (byte(i) & 0x3FU);
  return value;
}

std::string utf8_of(std::uint32_t c) {
  const auto part = [](std::uint32_t bits) { return static_cast<char>(bits); };
  const auto tail = [&](unsigned shift) { return part(0x80U | (c >> shift & 0x3FU)); };
  if (c < 0x80) return {part(c)};
  if (c < 0x800) return {part(0xC0U | c >> 6), tail(0)};
  if (c < 0x10000) return {part(0xE0U | c >> 12), tail(6), tail(0)};
  return {part(0xF0U | c >> 18), tail(12), tail(6), tail(0)};
}

bool is_space(std::string_view character) { return is_space(code_point(character)); }

std::string_view stripped(std::string_view text, Side side, std::optional<std::string_view> of) {
  const std::vector<std::string_view> given =
      of ? characters(*of) : std::vector<std::string_view>();
  const auto goes = [&](std::string_view character) {
    return of ? std::ranges::find(given, character) != given.end() : is_space(character);
  };
  while (side != Side::kRight && !text.empty()) {
    if (!goes(first_character(text))) break;
    text.remove_prefix(first_character(text).size());
  }
  while (side != Side::kLeft && !text.empty()) {
    if (!goes(last_character(text))) break;
    text.remove_suffix(last_character(text).size());
  }
  return text;
}

std::vector<std::string_view> split(std::string_view text,
                                    std::optional<std::string_view> separator, std::int64_t most) {
  const std::size_t limit = limit_of(most);
  if (!separator) return split_at_spaces(text, limit);
  std::vector<std::string_view> parts;
  for (std::size_t end; parts.size() < limit && (end = text.find(*separator)) != text.npos;) {
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end + separator->size());
  }
  parts.push_back(text);
  return parts;
}

std::vector<std::string_view> split_from_right(std::string_view text, std::string_view separator,
                                               std::int64_t most) {
  const std::size_t limit = limit_of(most);
  std::vector<std::string_view> parts;
  for (std::size_t place; parts.size() < limit && (place = text.rfind(separator)) != text.npos;) {
    parts.push_back(text.substr(place + separator.size()));
    text = text.substr(0, place);
  }
  parts.push_back(text);
  std::ranges::reverse(parts);
  return parts;
}

std::vector<std::string_view> split_lines(std::string_view text, bool keeps_ends) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    std::size_t end = 0;
    while (end < text.size() && !ends_line(first_character(text.substr(end))))
      end += first_character(text.substr(end)).size();
    const std::string_view rest = text.substr(end);
    const std::size_t size = rest.starts_with("\r\n") ? 2
                             : rest.empty()           ? 0
                                                      : first_character(rest).size();
    lines.push_back(text.substr(0, keeps_ends ? end + size : end));
    text.remove_prefix(end + size);
  }
  return lines;
}

std::size_t count_of(std::string_view text, std::string_view part) {
  if (part.empty()) return count_code_points(text) + 1;
  std::size_t count = 0;
  for (std::size_t place = 0; (place = text.find(part, place)) != text.npos; place += part.size())
    ++count;
  return count;
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to,
                     std::int64_t most) {
  std::string result;
  std::size_t left = limit_of(most);
  for (std::size_t place; left > 0 && (place = text.find(from)) != text.npos; --left) {
    result += text.substr(0, place);
    result += to;
    text.remove_prefix(place + from.size());
    if (!from.empty()) continue;
    if (text.empty()) break;
    result += first_character(text);
    text.remove_prefix(first_character(text).size());
  }
  return result += text;
}

std::string quoted(std::string_view text) {
  const bool has_single = text.find('\'') != text.npos, has_double = text.find('"') != text.npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  std::string result(1, quote);
  for (const std::string_view character : characters(text)) {
    const std::uint32_t c = code_point(character);
    if (c == '\n')
      result += "\\n";
    else if (c == '\r')
      result += "\\r";
    else if (c == '\t')
      result += "\\t";
    else if (c == '\\' || c == static_cast<unsigned char>(quote))
      (result += '\\') += character;
    else if (is_printable(c))
      result += character;
    else
      result += escaped(c);
  }
  return result + quote;
}

}  // namespace dualpath::data::jinja
