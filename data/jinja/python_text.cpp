#include "data/jinja/python_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "data/utf8.h"

namespace dualpath::data::jinja {
namespace {

std::uint32_t code_point(std::string_view character) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(character[i]));
  };
  if (character.size() == 1) return byte(0);
  std::uint32_t value = byte(0) & (0xFFU >> (character.size() + 1));
  for (std::size_t i = 1; i < character.size(); ++i) value = value << 6 | (byte(i) & 0x3FU);
  return value;
}

std::size_t limit_of(std::int64_t most) {
  return most < 0 ? std::numeric_limits<std::size_t>::max() : static_cast<std::size_t>(most);
}

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
char to_upper(char c) { return is_lower(c) ? static_cast<char>(c - 'a' + 'A') : c; }
char to_lower(char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; }

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
      const std::size_t size = leading_sequence(text.substr(end)).length;
      if (is_space(text.substr(end, size))) break;
      end += size;
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
    const std::size_t size = leading_sequence(text).length;
    result.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return result;
}

std::string utf8_of(std::uint32_t c) {
  const auto part = [](std::uint32_t bits) { return static_cast<char>(bits); };
  const auto tail = [&](unsigned shift) { return part(0x80U | (c >> shift & 0x3FU)); };
  if (c < 0x80) return {part(c)};
  if (c < 0x800) return {part(0xC0U | c >> 6), tail(0)};
  if (c < 0x10000) return {part(0xE0U | c >> 12), tail(6), tail(0)};
  return {part(0xF0U | c >> 18), tail(12), tail(6), tail(0)};
}

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<signed char>(c) >= 0; });
}

bool is_space(std::string_view character) {
  const std::uint32_t c = code_point(character);
  return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

std::string_view stripped(std::string_view text, Side side, std::optional<std::string_view> of) {
  const std::vector<std::string_view> given =
      of ? characters(*of) : std::vector<std::string_view>();
  const auto goes = [&](std::string_view character) {
    return of ? std::ranges::find(given, character) != given.end() : is_space(character);
  };
  while (side != Side::kRight && !text.empty()) {
    const std::size_t size = leading_sequence(text).length;
    if (!goes(text.substr(0, size))) break;
    text.remove_prefix(size);
  }
  while (side != Side::kLeft && !text.empty()) {
    std::size_t start = text.size() - 1;
    while (start > 0 && (text[start] & 0xC0) == 0x80) --start;
    if (!goes(text.substr(start))) break;
    text = text.substr(0, start);
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

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("\n\r\v\f\x1c\x1d\x1e"), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end);
    text.remove_prefix(text.starts_with("\r\n") ? 2 : text.empty() ? 0 : 1);
  }
  return lines;
}

std::size_t count_of(std::string_view text, std::string_view part) {
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
  }
  return result += text;
}

std::string upper(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), to_upper);
  return result;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), to_lower);
  return result;
}

std::string capitalized(std::string_view text) {
  std::string result = lower(text);
  if (!result.empty()) result[0] = to_upper(result[0]);
  return result;
}

std::string titled(std::string_view text) {
  std::string result = lower(text);
  bool inside = false;
  for (char& c : result) {
    if (!inside) c = to_upper(c);
    inside = is_upper(c) || is_lower(c);
  }
  return result;
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
    else if (c < 0x20 || (c >= 0x7F && c <= 0xA0) || c == 0xAD)
      result += fmt::format("\\x{:02x}", c);
    else
      result += character;
  }
  return result + quote;
}

}  // namespace dualpath::data::jinja
