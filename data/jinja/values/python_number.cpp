#include "data/jinja/values/python_number.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "data/jinja/values/python_text.h"
#include "data/jinja/values/unicode.h"

namespace dualpath::data::jinja {
namespace {

/// A number's text in small letters, its digits ASCII's and its sign taken off.
struct NumberText {
  std::string digits;
  bool is_negative = false;
};

NumberText number_text(std::string_view text) {
  NumberText number;
  text = stripped(text);
  number.is_negative = text.starts_with('-');
  if (number.is_negative || text.starts_with('+')) text.remove_prefix(1);
  for (; !text.empty(); text.remove_prefix(first_character(text).size())) {
    const std::uint32_t c = code_point(first_character(text));
    const auto decimal = decimal_of(c);
    if (decimal)
      number.digits += static_cast<char>('0' + *decimal);
    else
      number.digits += c < 0x80 ? lower_of(c) : "?";
  }
  return number;
}

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'); }

/// Takes the underscores out; false where one does not stand between two digits or letters.
bool remove_underscores(std::string& digits) {
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const bool between = i > 0 && i + 1 < digits.size() && is_alphanumeric(digits[i - 1]) &&
                         is_alphanumeric(digits[i + 1]);
    if (digits[i] == '_' && !between) return false;
  }
  std::erase(digits, '_');
  return true;
}

std::string_view without_prefix(std::string_view digits, int base) {
  const bool has_one = (base == 2 && digits.starts_with("0b")) ||
                       (base == 8 && digits.starts_with("0o")) ||
                       (base == 16 && digits.starts_with("0x"));
  return has_one ? digits.substr(2) : digits;
}

}  // namespace

std::optional<std::int64_t> read_integer(Runtime& runtime, std::string_view text, int base) {
  NumberText number = number_text(text);
  if (!remove_underscores(number.digits)) return std::nullopt;
  std::string digits(without_prefix(number.digits, base));
  if (digits.empty() || !is_alphanumeric(digits[0])) return std::nullopt;
  if (number.is_negative) digits.insert(digits.begin(), '-');
  std::int64_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), end, value, base);
  if (read.ptr != end) return std::nullopt;
  if (read.ec != std::errc()) runtime.fail("a number is too large");
  return value;
}

std::optional<double> read_float(std::string_view text) {
  NumberText number = number_text(text);
  const std::string& digits = number.digits;
  const double sign = number.is_negative ? -1.0 : 1.0;
  if (digits == "inf" || digits == "infinity") return sign * HUGE_VAL;
  if (digits == "nan") return std::nan("");
  if (!remove_underscores(number.digits)) return std::nullopt;
  // strtod would take hexadecimals and a second sign, too.
  const bool is_decimal = digits.find_first_not_of("0123456789.e+-") == digits.npos;
  if (digits.empty() || !is_decimal || digits[0] == '+' || digits[0] == '-') return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(digits.c_str(), &end);
  if (end != digits.data() + digits.size()) return std::nullopt;
  return sign * value;
}

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::array<char, 512> buffer;
  const double size = std::abs(value);
  // Python's border between the two ways to write a number.
  const bool scientific = value != 0.0 && (size < 1e-4 || size >= 1e16);
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                    scientific ? std::chars_format::scientific : std::chars_format::fixed)
          .ptr;
  std::string text(buffer.data(), end);
  if (!scientific && text.find('.') == text.npos) text += ".0";
  return text;
}

std::int64_t whole_part(Runtime& runtime, double value) {
  if (!(std::abs(value) < 0x1p63)) runtime.fail("a number is too large");
  return static_cast<std::int64_t>(value);
}

std::partial_ordering order_of(std::int64_t a, double b) {
  if (std::isnan(b)) return std::partial_ordering::unordered;
  if (b >= 0x1p63) return std::partial_ordering::less;
  if (b < -0x1p63) return std::partial_ordering::greater;
  const auto whole = static_cast<std::int64_t>(b);
  if (a != whole) return a <=> whole;
  return 0.0 <=> b - static_cast<double>(whole);
}

std::int64_t floor_divided(std::int64_t a, std::int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

double floor_remainder(double a, double b) {
  const double rest = std::fmod(a, b);
  if (rest == 0.0) return std::copysign(0.0, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

double floor_divided(double a, double b) {
  const double rest = std::fmod(a, b);
  double quotient = (a - rest) / b;
  if (rest != 0.0 && (rest < 0) != (b < 0)) quotient -= 1.0;
  if (quotient == 0.0) return std::copysign(0.0, a / b);
  // The quotient is whole, apart from the rounding of the line above.
  const double whole = std::floor(quotient);
  return quotient - whole > 0.5 ? whole + 1.0 : whole;
}

double rounded(double value, int digits) {
  constexpr int kMostDigits = 323;  // a double's fraction, to its least bit
  if (!std::isfinite(value) || digits > kMostDigits) return value;
  std::array<char, 640> text;  // 309 digits before the point
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return std::strtod(text.data(), nullptr);
}

}  // namespace dualpath::data::jinja
