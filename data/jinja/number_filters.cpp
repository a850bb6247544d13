#include "data/jinja/number_filters.h"

#include <algorithm>
#include <cmath>

#include "data/jinja/values/operators.h"
#include "data/jinja/values/parameters.h"
#include "data/jinja/values/python_number.h"

namespace dualpath::data::jinja {
namespace {

void require_defined(Runtime& runtime, const Value& value) {
  if (const Undefined* undefined = value.undefined())
    runtime.fail("'{}' is undefined", printable(*undefined->name));
}

std::optional<std::int64_t> read_whole(Runtime& runtime, const std::string& text, int base) {
  if (const auto number = read_integer(runtime, text, base)) return number;
  const auto real = read_float(text);
  if (!real || !std::isfinite(*real)) return std::nullopt;
  return whole_part(runtime, *real);
}

}  // namespace

Value to_integer(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters given(runtime, "int", arguments, {"default", "base"});
  const std::int64_t base = given.integer_or(1, 10);
  if (base < 2 || base > 36) runtime.fail("int: base: expected 2 to 36, got {}", base);
  require_defined(runtime, value);
  if (value.integer()) return value;
  std::optional<std::int64_t> number;
  if (is_number(value) && !std::isnan(number_of(value)))
    number = whole_part(runtime, number_of(value));
  if (value.text()) {
    runtime.spend(value.text()->size());
    number = read_whole(runtime, *value.text(), static_cast<int>(base));
  }
  if (number) return Value(*number);
  return given.given(0) ? *given.given(0) : Value(std::int64_t{0});
}

Value to_float(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters given(runtime, "float", arguments, {"default"});
  require_defined(runtime, value);
  if (is_number(value)) return Value(number_of(value));
  if (value.text()) runtime.spend(value.text()->size());
  const auto number = value.text() ? read_float(*value.text()) : std::nullopt;
  if (number) return Value(*number);
  return given.given(0) ? *given.given(0) : Value(0.0);
}

Value absolute(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters none(runtime, "abs", arguments, {});
  const bool is_negative = is_number(value) && number_of(value) < 0;
  return is_negative ? negated(runtime, value)
                     : calculated(runtime, "+", value, Value(std::int64_t{0}));
}

Value round_number(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters given(runtime, "round", arguments, {"precision", "method"});
  const std::int64_t precision = given.integer_or(0, 0);
  const std::string method = given.given(1) ? given.text(1) : "common";
  if (!is_number(value)) runtime.fail("round: expected a number, got {}", type_name(value));
  if (precision < 0) runtime.fail("round: a negative precision is not supported");
  if (method == "common") {
    if (!value.real()) return calculated(runtime, "+", value, Value(std::int64_t{0}));
    return Value(rounded(*value.real(), static_cast<int>(std::min<std::int64_t>(precision, 999))));
  }
  if (method != "ceil" && method != "floor")
    runtime.fail("round: method: expected common, ceil or floor, got {}", printable(method));
  const Value unit =
      calculated(runtime, "**", Value(std::int64_t{10}), Value(std::int64_t{precision}));
  const Value scaled = calculated(runtime, "*", value, unit);
  const double whole =
      method == "ceil" ? std::ceil(number_of(scaled)) : std::floor(number_of(scaled));
  const Value number = scaled.real() ? Value(whole_part(runtime, whole)) : scaled;
  return calculated(runtime, "/", number, unit);
}

}  // namespace dualpath::data::jinja
