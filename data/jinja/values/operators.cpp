#include "data/jinja/values/operators.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "data/jinja/values/methods.h"
#include "data/jinja/values/percent_format.h"
#include "data/jinja/values/python_number.h"
#include "data/jinja/values/python_text.h"

namespace dualpath::data::jinja {
namespace {

[[noreturn]] void refuse(Runtime& runtime, const std::string& op, const Value& a, const Value& b) {
  for (const Value* value : {&a, &b})
    if (const Undefined* undefined = value->undefined())
      runtime.fail("'{}' is undefined", printable(*undefined->name));
  runtime.fail("'{}' is not supported between {} and {}", op, type_name(a), type_name(b));
}

std::optional<std::int64_t> integer_of(const Value& value) {
  if (value.boolean()) return *value.boolean() ? 1 : 0;
  return value.integer() ? std::optional(*value.integer()) : std::nullopt;
}

std::int64_t power(Runtime& runtime, std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  for (; exponent > 0; --exponent) {
    if (__builtin_mul_overflow(result, base, &result)) runtime.fail("a number is too large");
    if (result == 0 || (base == 1 || base == -1))
      return base == -1 && exponent % 2 == 0 ? 1 : result;
  }
  return result;
}

std::optional<Value> calculated(Runtime& runtime, const std::string& op, std::int64_t a,
                                std::int64_t b) {
  std::int64_t result = 0;
  bool overflows = false;
  if (op == "+")
    overflows = __builtin_add_overflow(a, b, &result);
  else if (op == "-")
    overflows = __builtin_sub_overflow(a, b, &result);
  else if (op == "*")
    overflows = __builtin_mul_overflow(a, b, &result);
  else if (op == "**" && b >= 0)
    result = power(runtime, a, b);
  else if (op == "/") {
    constexpr std::int64_t kExact = std::int64_t{1} << 53;  // exact as a double
    overflows = a < -kExact || a > kExact || b < -kExact || b > kExact;
    if (!overflows) return std::nullopt;
  } else if (op == "//" || op == "%") {
    if (b == 0) runtime.fail("division by zero");
    overflows = b == -1 && a == std::numeric_limits<std::int64_t>::min();
    if (!overflows) result = op == "//" ? floor_divided(a, b) : a - floor_divided(a, b) * b;
  } else {
    return std::nullopt;
  }
  if (overflows) runtime.fail("a number is too large");
  return Value(result);
}

Value power(Runtime& runtime, double base, double exponent) {
  if (base == 0.0 && exponent < 0) runtime.fail("division by zero");
  const double result = std::pow(base, exponent);
  if (std::isfinite(base) && std::isfinite(exponent)) {
    if (std::isnan(result)) runtime.fail("a complex number is not supported");
    if (std::isinf(result)) runtime.fail("a number is too large");
  }
  return Value(result);
}

Value calculated(Runtime& runtime, const std::string& op, double a, double b) {
  if (op == "+") return Value(a + b);
  if (op == "-") return Value(a - b);
  if (op == "*") return Value(a * b);
  if (op == "**") return power(runtime, a, b);
  if (b == 0.0) runtime.fail("division by zero");
  if (op == "/") return Value(a / b);
  return Value(op == "//" ? floor_divided(a, b) : floor_remainder(a, b));
}

Value repeated(Runtime& runtime, const Value& value, std::int64_t times) {
  const auto count = static_cast<std::size_t>(std::clamp<std::int64_t>(times, 0, kMostUnits));
  if (value.text()) {
    runtime.spend(count * std::min(value.text()->size(), kMostUnits));
    std::string text;
    for (std::size_t i = 0; i < count && !value.text()->empty(); ++i) text += *value.text();
    return Value(std::move(text));
  }
  const auto& items = value.sequence()->items;
  runtime.spend(count * items.size() * kItemUnits);
  std::vector<Value> all;
  for (std::size_t i = 0; i < count && !items.empty(); ++i)
    all.insert(all.end(), items.begin(), items.end());
  return Value::sequence(runtime, std::move(all), value.sequence()->kind);
}

Value concatenated(Runtime& runtime, const Sequence& a, const Sequence& b) {
  runtime.spend(kItemUnits * (a.items.size() + b.items.size()));
  std::vector<Value> all = a.items;
  all.insert(all.end(), b.items.begin(), b.items.end());
  return Value::sequence(runtime, std::move(all), a.kind);
}

Value item_at(const std::vector<Value>& items, std::int64_t index) {
  const auto size = static_cast<std::int64_t>(items.size());
  const std::int64_t place = index < 0 ? index + size : index;
  if (place < 0 || place >= size) return Value::undefined("item " + std::to_string(index));
  return items[static_cast<std::size_t>(place)];
}

/// Python's slice.indices(): the places that a slice takes.
Range range_of(Runtime& runtime, std::int64_t size, const Value* start, const Value* stop,
               const Value* step) {
  const auto number = [&](const Value* value, std::int64_t fallback) {
    if (!value || value->is_none()) return fallback;
    const auto integer = integer_of(*value);
    if (!integer) runtime.fail("a slice takes ints, got {}", type_name(*value));
    return std::clamp(*integer, -std::int64_t{kMostUnits}, std::int64_t{kMostUnits});
  };
  const std::int64_t by = number(step, 1);
  if (by == 0) runtime.fail("a slice's step cannot be 0");
  const std::int64_t low = by > 0 ? 0 : -1, high = by > 0 ? size : size - 1;
  const auto bound = [&](const Value* value, std::int64_t fallback) {
    if (!value || value->is_none()) return fallback;
    const std::int64_t index = number(value, 0);
    return std::clamp(index < 0 ? index + size : index, low, high);
  };
  return {bound(start, by > 0 ? low : high), bound(stop, by > 0 ? high : low), by};
}

template <class Take>
void for_each_index(const Range& range, const Take& take) {
  for (std::int64_t i = range.start; range.step > 0 ? i < range.stop : i > range.stop;
       i += range.step)
    take(static_cast<std::size_t>(i));
}

/// A range of a range.
Value sliced(Runtime& runtime, const Range& range, const Range& places) {
  const auto at = [&](std::int64_t place) {
    std::int64_t value = 0;
    if (__builtin_mul_overflow(place, range.step, &value) ||
        __builtin_add_overflow(range.start, value, &value))
      runtime.fail("a number is too large");
    return value;
  };
  return Value::range(runtime, {at(places.start), at(places.stop), at(places.step) - range.start});
}

/// Refuses marked text: a part of text that was marked as safe would be marked, too.
void require_unmarked(Runtime& runtime, const Value& value) {
  if (value.is_markup()) runtime.fail("a part of text that was marked as safe is not supported");
}

bool is_plain(const Value& value) { return value.sequence() && value.sequence()->is_plain(); }

}  // namespace

Value calculated(Runtime& runtime, const std::string& op, const Value& a, const Value& b) {
  const auto x = integer_of(a), y = integer_of(b);
  if (x && y) {
    if (auto result = calculated(runtime, op, *x, *y)) return std::move(*result);
  }
  if (is_number(a) && is_number(b)) return calculated(runtime, op, number_of(a), number_of(b));
  if (a.is_markup() || b.is_markup())
    runtime.fail("'{}' with text that was marked as safe is not supported", op);
  if (op == "+" && a.text() && b.text()) {
    runtime.spend(a.text()->size() + b.text()->size());
    return Value(*a.text() + *b.text());
  }
  if (op == "+" && is_plain(a) && is_plain(b) && a.sequence()->kind == b.sequence()->kind)
    return concatenated(runtime, *a.sequence(), *b.sequence());
  if (op == "*" && y && (a.text() || is_plain(a))) return repeated(runtime, a, *y);
  if (op == "*" && x && (b.text() || is_plain(b))) return repeated(runtime, b, *x);
  if (op == "%" && a.text()) return Value(percent_formatted(runtime, *a.text(), b));
  refuse(runtime, op, a, b);
}

Value negated(Runtime& runtime, const Value& value) {
  if (value.real()) return Value(-*value.real());
  return calculated(runtime, "-", Value(std::int64_t{0}), value);
}

std::partial_ordering ordered(Runtime& runtime, const Value& a, const Value& b) {
  runtime.step();
  if (is_number(a) && is_number(b)) return number_order(a, b);
  if (a.text() && b.text()) {
    runtime.spend(std::min(a.text()->size(), b.text()->size()));
    return *a.text() <=> *b.text();  // UTF-8 sorts like its code points
  }
  if (!is_plain(a) || !is_plain(b) || a.sequence()->kind != b.sequence()->kind)
    refuse(runtime, "<", a, b);
  const auto &x = a.sequence()->items, &y = b.sequence()->items;
  for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i)
    if (!equal(runtime, x[i], y[i])) return ordered(runtime, x[i], y[i]);
  return x.size() <=> y.size();
}

bool compared(Runtime& runtime, const std::string& op, const Value& a, const Value& b) {
  if (op == "==") return equal(runtime, a, b);
  if (op == "!=") return !equal(runtime, a, b);
  if (op == "in") return contains(runtime, b, a);
  if (op == "not in") return !contains(runtime, b, a);
  const std::partial_ordering order = ordered(runtime, a, b);
  if (op == "<") return order < 0;
  if (op == "<=") return order <= 0;
  return op == ">" ? order > 0 : order >= 0;
}

bool contains(Runtime& runtime, const Value& container, const Value& item) {
  if (container.is_undefined()) return false;
  if (container.text() && item.text()) {
    runtime.spend(container.text()->size());
    return container.text()->find(*item.text()) != std::string::npos;
  }
  if (container.dict()) {
    require_hashable(runtime, item);
    return item.text() && container.dict()->find(*item.text());
  }
  const bool has_items = container.sequence() || container.object();
  if (!has_items) refuse(runtime, "in", item, container);
  if (container.sequence() && container.sequence()->kind == SequenceKind::kKeys)
    require_hashable(runtime, item);
  return std::ranges::any_of(items_of(runtime, container),
                             [&](const Value& held) { return equal(runtime, held, item); });
}

Value attribute_of(Runtime& runtime, const Value& object, const std::string& name) {
  if (const Undefined* undefined = object.undefined())
    runtime.fail("'{}' is undefined", printable(*undefined->name));
  if (object.object()) return object.object()->attribute(runtime, name);
  if (auto method = method_of(runtime, object, name)) return std::move(*method);
  const Value* value = object.dict() ? object.dict()->find(name) : nullptr;
  return value ? *value : Value::undefined(name);
}

Value item_of(Runtime& runtime, const Value& object, const Value& index) {
  require_unmarked(runtime, object);
  if (const Undefined* undefined = object.undefined())
    runtime.fail("'{}' is undefined", printable(*undefined->name));
  if (const auto integer = integer_of(index)) {
    if (object.sequence() && object.sequence()->has_index())
      return item_at(object.sequence()->items, *integer);
    if (object.text()) return item_at(items_of(runtime, object), *integer);
  }
  if (!index.text()) return Value::undefined("item");
  const Value* value = object.dict() ? object.dict()->find(*index.text()) : nullptr;
  return value ? *value : attribute_of(runtime, object, *index.text());
}

Value slice_of(Runtime& runtime, const Value& object, const Value* start, const Value* stop,
               const Value* step) {
  require_unmarked(runtime, object);
  if (const Undefined* undefined = object.undefined())
    runtime.fail("'{}' is undefined", printable(*undefined->name));
  if (object.text()) {
    const std::vector<std::string_view> all = characters(*object.text());
    runtime.spend(object.text()->size());
    std::string text;
    for_each_index(range_of(runtime, std::ssize(all), start, stop, step),
                   [&](std::size_t i) { text += all[i]; });
    return Value(std::move(text));
  }
  if (!object.sequence() || !object.sequence()->has_index())
    runtime.fail("a {} cannot be sliced", type_name(object));
  const auto& all = object.sequence()->items;
  const Range places = range_of(runtime, std::ssize(all), start, stop, step);
  if (!object.sequence()->is_plain()) return sliced(runtime, object.sequence()->range, places);
  std::vector<Value> items;
  for_each_index(places, [&](std::size_t i) { items.push_back(all[i]); });
  return Value::sequence(runtime, std::move(items), object.sequence()->kind);
}

}  // namespace dualpath::data::jinja
