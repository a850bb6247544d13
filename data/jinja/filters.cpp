#include "data/jinja/filters.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "data/jinja/json_text.h"
#include "data/jinja/list_filters.h"
#include "data/jinja/methods.h"
#include "data/jinja/operators.h"
#include "data/jinja/parameters.h"
#include "data/jinja/python_text.h"
#include "data/utf8.h"

namespace dualpath::data::jinja {
namespace {

using Function = Value (*)(Runtime&, const Value&, const CallArguments&);

Value trim(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters given(runtime, "trim", arguments, {"chars"});
  const std::string text = text_of(runtime, value);
  const auto of = given.text_if(0);
  if (of) runtime.spend(text.size() * of->size());
  return Value(std::string(stripped(text, Side::kBoth, of)));
}

Value length(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters none(runtime, "length", arguments, {});
  std::size_t size = 0;
  if (value.text()) {
    runtime.spend(value.text()->size());
    size = count_code_points(*value.text());
  } else if (value.sequence()) {
    size = value.sequence()->items.size();
  } else if (value.dict()) {
    size = value.dict()->items().size();
  } else if (!value.is_undefined()) {
    runtime.fail("a {} has no length", type_name(value));
  }
  return Value(static_cast<std::int64_t>(size));
}

Value fallback(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters given(runtime, "default", arguments, {"default_value", "boolean"});
  const bool replaces = value.is_undefined() || (given.boolean_or(1, false) && !is_true(value));
  if (!replaces) return value;
  return given.given(0) ? *given.given(0) : Value(std::string());
}

JsonStyle style_of(Runtime& runtime, const Parameters& given) {
  JsonStyle style;
  style.ascii = given.boolean_or(0, false);
  if (const Value* indent = given.given(1); indent && !indent->is_none()) {
    const bool is_text = indent->text() != nullptr;
    const std::int64_t width =
        is_text ? 0 : std::clamp<std::int64_t>(given.integer_or(1, 0), 0, 64);
    style.indent = is_text ? *indent->text() : std::string(static_cast<std::size_t>(width), ' ');
    style.comma = ",";
  }
  if (const Value* separators = given.given(2); separators && !separators->is_none()) {
    const std::vector<Value> both = items_of(runtime, *separators);
    if (both.size() != 2 || !both[0].text() || !both[1].text())
      runtime.fail("tojson: separators: expected two str");
    style.comma = *both[0].text();
    style.colon = *both[1].text();
  }
  style.sort_keys = given.boolean_or(3, false);
  return style;
}

Value tojson(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters given(runtime, "tojson", arguments,
                         {"ensure_ascii", "indent", "separators", "sort_keys"});
  return Value(json_text(runtime, value, style_of(runtime, given)));
}

template <auto change>
Value recased(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters none(runtime, "a change of case", arguments, {});
  return Value(change(cased(runtime, text_of(runtime, value), "a change of case")));
}

/// Jinja's own: only white space, "-" and brackets start a word.
std::string title_words(std::string_view text) {
  constexpr std::string_view kBefore = "- \t\n\r\v\f({[<";
  std::string result = lower(text);
  bool starts = true;
  for (char& c : result) {
    if (starts) c = upper({&c, 1})[0];
    starts = kBefore.find(c) != kBefore.npos;
  }
  return result;
}

template <bool last>
Value end_of(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters none(runtime, last ? "last" : "first", arguments, {});
  const std::vector<Value> items = items_of(runtime, value);
  if (items.empty()) return Value::undefined(last ? "the last item" : "the first item");
  return last ? items.back() : items.front();
}

Value list(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters none(runtime, "list", arguments, {});
  return Value::sequence(runtime, items_of(runtime, value));
}

Value string(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters none(runtime, "string", arguments, {});
  return value.text() ? value : Value(text_of(runtime, value));
}

/// The whole of a text as a number, white space around it left out.
template <class Number>
std::optional<Number> read_number(std::string_view text) {
  text = stripped(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  Number number{};
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::int64_t> whole_part(double value) {
  constexpr double kLimit = 9.2e18;
  if (!(std::abs(value) < kLimit)) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

Value to_integer(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters given(runtime, "int", arguments, {"default"});
  std::optional<std::int64_t> number;
  if (value.integer()) return value;
  if (is_number(value)) number = whole_part(number_of(value));
  if (value.text()) {
    number = read_number<std::int64_t>(*value.text());
    const auto real = number ? std::nullopt : read_number<double>(*value.text());
    if (real) number = whole_part(*real);
  }
  return Value(number ? *number : given.integer_or(0, 0));
}

Value to_float(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters given(runtime, "float", arguments, {"default"});
  if (is_number(value)) return Value(number_of(value));
  const auto number = value.text() ? read_number<double>(*value.text()) : std::nullopt;
  if (number) return Value(*number);
  return given.given(0) ? *given.given(0) : Value(0.0);
}

Value absolute(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters none(runtime, "abs", arguments, {});
  const bool is_negative = is_number(value) && number_of(value) < 0;
  return is_negative ? negated(runtime, value)
                     : calculated(runtime, "+", value, Value(std::int64_t{0}));
}

/// Half to even, as Python does; only to whole numbers.
Value rounded(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters none(runtime, "round", arguments, {});
  if (!is_number(value)) runtime.fail("round: expected a number, got {}", type_name(value));
  if (value.integer()) return value;
  return Value(std::nearbyint(number_of(value)));
}

Value replace(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters given(runtime, "replace", arguments, {"old", "new", "count"});
  return replaced_text(runtime, text_of(runtime, value), given.text(0), given.text(1),
                       given.integer_or(2, -1));
}

Value reverse(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters none(runtime, "reverse", arguments, {});
  const Value step(std::int64_t{-1});
  if (value.text() || value.sequence()) return slice_of(runtime, value, nullptr, nullptr, &step);
  std::vector<Value> items = items_of(runtime, value);
  std::ranges::reverse(items);
  return Value::sequence(runtime, std::move(items));
}

Value items(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  if (value.is_undefined()) return Value::sequence(runtime, {});
  if (!value.dict()) runtime.fail("items: expected a dict, got {}", type_name(value));
  return method_of(runtime, value, "items")->object()->call(runtime, arguments);
}

Value indent(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters given(runtime, "indent", arguments, {"width", "first", "blank"});
  const bool is_text = given.given(0) && given.given(0)->text();
  const std::int64_t width =
      is_text ? 0 : std::clamp<std::int64_t>(given.integer_or(0, 4), 0, 1000);
  const std::string space =
      is_text ? given.text(0) : std::string(static_cast<std::size_t>(width), ' ');
  const bool first = given.boolean_or(1, false), blank = given.boolean_or(2, false);
  const std::string text = text_of(runtime, value);
  std::string result;
  std::size_t number = 0;
  for (const std::string_view line : split(text, "\n", -1)) {
    runtime.spend(space.size() + line.size() + kStepUnits);
    if (number > 0) result += '\n';
    if (number == 0 ? first : (blank || !line.empty())) result += space;
    result += line;
    ++number;
  }
  return Value(std::move(result));
}

Value same(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters none(runtime, "safe", arguments, {});
  return value.text() ? value : Value(text_of(runtime, value));
}

template <bool kept, bool by_attribute>
Value select(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  return select_items(runtime, value, arguments, kept, by_attribute);
}

template <int sign>
Value extreme(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  return extreme_item(runtime, value, arguments, sign);
}

constexpr std::array<std::pair<std::string_view, Function>, 36> kFilters{{
    {"trim", trim},
    {"length", length},
    {"count", length},
    {"default", fallback},
    {"d", fallback},
    {"tojson", tojson},
    {"upper", recased<upper>},
    {"lower", recased<lower>},
    {"capitalize", recased<capitalized>},
    {"title", recased<title_words>},
    {"first", end_of<false>},
    {"last", end_of<true>},
    {"list", list},
    {"string", string},
    {"int", to_integer},
    {"float", to_float},
    {"abs", absolute},
    {"round", rounded},
    {"replace", replace},
    {"reverse", reverse},
    {"items", items},
    {"indent", indent},
    {"safe", same},
    {"join", join_items},
    {"map", map_items},
    {"select", select<true, false>},
    {"reject", select<false, false>},
    {"selectattr", select<true, true>},
    {"rejectattr", select<false, true>},
    {"sort", sort_items},
    {"unique", unique_items},
    {"dictsort", dictsort},
    {"min", extreme<-1>},
    {"max", extreme<1>},
    {"sum", sum_items},
    {"attr",
     [](Runtime& runtime, const Value& value, const CallArguments& arguments) {
       const Parameters given(runtime, "attr", arguments, {"name"});
       return attribute_of(runtime, value, given.text(0));
     }},
}};

}  // namespace

Value filtered(Runtime& runtime, const std::string& name, const Value& value,
               const CallArguments& arguments) {
  const Runtime::Level level(runtime);
  runtime.step();
  for (const auto& [known, filter] : kFilters)
    if (known == name) return filter(runtime, value, arguments);
  runtime.fail("the filter '{}' is not supported", printable(name));
}

}  // namespace dualpath::data::jinja
