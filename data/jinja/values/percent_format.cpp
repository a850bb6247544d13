#include "data/jinja/values/percent_format.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

#include "data/base/utf8.h"
#include "data/jinja/values/operators.h"
#include "data/jinja/values/python_number.h"
#include "data/jinja/values/python_text.h"

namespace dualpath::data::jinja {
namespace {

constexpr std::int64_t kMostWidth = kMostUnits;

/// The flags, width and precision between "%" and the letter.
struct Spec {
  bool left = false, plus = false, space = false, alternate = false, zeros = false;
  std::int64_t width = 0, precision = -1;  // -1: none
};

class Formatter {
 public:
  Formatter(Runtime& runtime, std::string_view format, const Value& values)
      : runtime_(runtime), rest_(format), values_(values) {
    const Sequence* sequence = values.sequence();
    is_tuple_ = sequence && sequence->is_tuple();
    // Python takes every value with an index for a mapping, but for tuples and texts.
    is_mapping_ = values.dict() || values.is_undefined() || (sequence && sequence->has_index());
    is_mapping_ = is_mapping_ && !is_tuple_;
  }

  std::string formatted() {
    for (std::size_t place; (place = rest_.find('%')) != rest_.npos;) {
      result_ += rest_.substr(0, place);
      rest_.remove_prefix(place + 1);
      convert();
    }
    result_ += rest_;
    const std::size_t count = is_tuple_ ? values_.sequence()->items.size() : 1;
    if (next_ < count && !is_mapping_) runtime_.fail("%: more values than the format takes");
    return std::move(result_);
  }

 private:
  char take() {
    if (rest_.empty()) runtime_.fail("%: the format ends too soon");
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }
  bool skip(char c) {
    const bool there = rest_.starts_with(c);
    if (there) rest_.remove_prefix(1);
    return there;
  }

  const Value& next_value() {
    if (is_tuple_ && next_ < values_.sequence()->items.size())
      return values_.sequence()->items[next_++];
    if (is_tuple_ || next_ > 0) runtime_.fail("%: fewer values than the format takes");
    ++next_;
    return values_;
  }

  /// Reads "(name)": the value of that name is the only one that comes next.
  void look_up() {
    std::size_t size = 0;
    for (int open = 1; open > 0; ++size) {
      if (size == rest_.size()) runtime_.fail("%: a name without an end");
      open += rest_[size] == '(' ? 1 : rest_[size] == ')' ? -1 : 0;
    }
    const std::string name(rest_.substr(0, size - 1));
    rest_.remove_prefix(size);
    const Value* found = values_.dict() ? values_.dict()->find(name) : nullptr;
    if (!found) runtime_.fail("%: there is no value '{}'", printable(name));
    named_ = *found;
    next_ = 1;  // no nameless value comes behind a named one
  }

  void convert() {
    runtime_.step();
    if (skip('%')) {
      result_ += '%';
      return;
    }
    named_.reset();
    if (skip('(')) look_up();
    Spec spec;
    while (read_flag(spec)) {
    }
    spec.width = read_number(0);
    if (spec.width < 0) {
      spec.left = true;
      spec.width = -spec.width;
    }
    if (skip('.')) spec.precision = std::max<std::int64_t>(read_number(0), 0);
    if (rest_.starts_with('h') || rest_.starts_with('l') || rest_.starts_with('L')) take();
    const char letter = take();
    add(letter, spec, named_ ? *named_ : next_value());
  }

  bool read_flag(Spec& spec) {
    const auto set = [&](char c, bool& flag) { return skip(c) && (flag = true); };
    return set('-', spec.left) || set('+', spec.plus) || set(' ', spec.space) ||
           set('#', spec.alternate) || set('0', spec.zeros);
  }

  /// Reads digits, or "*" for a value.
  std::int64_t read_number(std::int64_t fallback) {
    if (skip('*')) {
      const Value& value = next_value();
      if (!value.integer() && !value.boolean()) runtime_.fail("%: * wants an int");
      return checked(value.boolean() ? (*value.boolean() ? 1 : 0) : *value.integer());
    }
    std::int64_t number = fallback;
    while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9')
      number = checked(number * 10 + (take() - '0'));
    return number;
  }
  std::int64_t checked(std::int64_t number) {
    if (number < -kMostWidth || number > kMostWidth) runtime_.fail("%: too wide");
    return number;
  }

  void add(char letter, const Spec& spec, const Value& value) {
    constexpr std::string_view kReal = "eEfFgG", kInteger = "diu", kUnsigned = "oxX";
    if (letter == 's' || letter == 'r')
      add_text(letter == 's' ? text_of(runtime_, value) : repr_of(runtime_, value), spec);
    else if (letter == 'c')
      add_text(character_of(value), {spec.left, false, false, false, false, spec.width});
    else if (kInteger.find(letter) != kInteger.npos)
      add_integer(whole_of(value), 10, spec);
    else if (kUnsigned.find(letter) != kUnsigned.npos)
      add_unsigned(letter, value, spec);
    else if (kReal.find(letter) != kReal.npos)
      add_real(letter, value, spec);
    else
      runtime_.fail("%: a format of the kind '{}' is not supported", printable({&letter, 1}));
  }

  void add_text(std::string_view text, const Spec& spec) {
    if (spec.precision >= 0) {
      const std::vector<std::string_view> all = characters(text);
      std::size_t size = 0;
      for (std::size_t i = 0; i < all.size() && std::cmp_less(i, spec.precision); ++i)
        size += all[i].size();
      text = text.substr(0, size);
    }
    pad("", text, ' ', spec);
  }

  /// Appends sign and digits, filled up to the width: with `fill` between the two, or with spaces
  /// around.
  void pad(std::string_view sign, std::string_view digits, char fill, const Spec& spec) {
    const auto width = static_cast<std::size_t>(spec.width);
    const std::size_t size = sign.size() + count_code_points(digits);
    const std::size_t missing = width > size ? width - size : 0;
    runtime_.spend(missing + digits.size());
    const bool zeros = fill == '0' && !spec.left;
    if (!spec.left && !zeros) result_.append(missing, ' ');
    result_ += sign;
    if (zeros) result_.append(missing, '0');
    result_ += digits;
    if (spec.left) result_.append(missing, ' ');
  }

  std::string character_of(const Value& value) {
    if (value.text() && count_code_points(*value.text()) == 1) return *value.text();
    const auto* code = value.integer();
    if (!code || *code < 0 || *code > 0x10FFFF || (*code >= 0xD800 && *code < 0xE000))
      runtime_.fail("%c: expected a character, got {}", type_name(value));
    return utf8_of(static_cast<std::uint32_t>(*code));
  }

  std::int64_t whole_of(const Value& value) {
    if (!is_number(value)) runtime_.fail("%d: expected a number, got {}", type_name(value));
    return value.integer() ? *value.integer() : whole_part(runtime_, number_of(value));
  }

  std::string sign_of(bool is_negative, const Spec& spec) const {
    return is_negative ? "-" : spec.plus ? "+" : spec.space ? " " : "";
  }

  void add_integer(std::int64_t value, int base, const Spec& spec, std::string_view prefix = "",
                   bool in_capitals = false) {
    const auto size =
        value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
    std::string digits = base == 10    ? fmt::format("{}", size)
                         : base == 8   ? fmt::format("{:o}", size)
                         : in_capitals ? fmt::format("{:X}", size)
                                       : fmt::format("{:x}", size);
    if (std::cmp_less(digits.size(), spec.precision)) {
      const std::size_t missing = static_cast<std::size_t>(spec.precision) - digits.size();
      runtime_.spend(missing);
      digits.insert(0, missing, '0');
    }
    pad(sign_of(value < 0, spec).append(prefix), digits, spec.zeros ? '0' : ' ', spec);
  }

  void add_unsigned(char letter, const Value& value, const Spec& spec) {
    if (!value.integer() && !value.boolean())
      runtime_.fail("%{}: expected an int, got {}", letter, type_name(value));
    const std::array<char, 2> prefix{'0', letter};
    add_integer(whole_of(value), letter == 'o' ? 8 : 16, spec,
                {prefix.data(), spec.alternate ? prefix.size() : 0}, letter == 'X');
  }

  void add_real(char letter, const Value& value, const Spec& spec) {
    constexpr std::int64_t kMostPrecision = 2000;
    if (!is_number(value))
      runtime_.fail("%{}: expected a number, got {}", letter, type_name(value));
    if (spec.precision > kMostPrecision) runtime_.fail("%: too many digits");
    const double number = number_of(value), size = std::abs(number);
    // "-" does nothing without a width.
    const std::string c_format{'%', spec.alternate ? '#' : '-', '.', '*', letter};
    std::array<char, kMostPrecision + 400> text;
    std::snprintf(text.data(), text.size(), c_format.c_str(),
                  static_cast<int>(spec.precision < 0 ? 6 : spec.precision), size);
    const bool is_negative = std::signbit(number) && !std::isnan(number);
    pad(sign_of(is_negative, spec), text.data(), spec.zeros ? '0' : ' ', spec);
  }

  Runtime& runtime_;
  std::string_view rest_;
  const Value& values_;
  bool is_tuple_ = false, is_mapping_ = false;
  std::size_t next_ = 0;
  std::optional<Value> named_;
  std::string result_;
};

}  // namespace

std::string percent_formatted(Runtime& runtime, const std::string& format, const Value& values) {
  runtime.spend(format.size());
  return Formatter(runtime, format, values).formatted();
}

}  // namespace dualpath::data::jinja
