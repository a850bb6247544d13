#include "data/jinja/filters.h"

#include <algorithm>
#include <array>
#include <utility>

#include "data/base/utf8.h"
#include "data/jinja/list_filters.h"
#include "data/jinja/number_filters.h"
#include "data/jinja/values/generator.h"
#include "data/jinja/values/json_text.h"
#include "data/jinja/values/letter_case.h"
#include "data/jinja/values/methods.h"
#include "data/jinja/values/operators.h"
#include "data/jinja/values/parameters.h"
#include "data/jinja/values/percent_format.h"
#include "data/jinja/values/python_text.h"

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

/// An indentation: a text, or a number of spaces.
std::string indent_of(Runtime& runtime, const Parameters& given, std::size_t index,
                      std::int64_t fallback) {
  if (given.given(index) && given.given(index)->text()) return given.text(index);
  const std::int64_t width = std::max<std::int64_t>(given.integer_or(index, fallback), 0);
  runtime.spend(static_cast<std::size_t>(width));
  return std::string(static_cast<std::size_t>(width), ' ');
}

JsonStyle style_of(Runtime& runtime, const Parameters& given) {
  JsonStyle style;
  style.ascii = given.boolean_or(0, false);
  if (const Value* indent = given.given(1); indent && !indent->is_none()) {
    style.indent = indent_of(runtime, given, 1, 0);
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
  return Value(with_case(runtime, text_of(runtime, value), change));
}

template <bool last>
Value end_of(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters none(runtime, last ? "last" : "first", arguments, {});
  if (last && value.object()) runtime.fail("last: a {} has no end", type_name(value));
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

Value replace(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters given(runtime, "replace", arguments, {"old", "new", "count"});
  return replaced_text(runtime, text_of(runtime, value), text_of(runtime, given.required(0)),
                       text_of(runtime, given.required(1)), given.integer_if(2).value_or(-1));
}

Value reverse(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters none(runtime, "reverse", arguments, {});
  const Value step(std::int64_t{-1});
  if (value.text()) return slice_of(runtime, value, nullptr, nullptr, &step);
  std::vector<Value> items = items_of(runtime, value);
  std::ranges::reverse(items);
  // Python reverses a sequence itself, and of anything else makes a list first.
  return value.object() ? Value::sequence(runtime, std::move(items))
                        : generator(runtime, std::move(items));
}

Value items(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters none(runtime, "items", arguments, {});
  if (value.is_undefined()) return generator(runtime, {});
  if (!value.dict()) runtime.fail("items: expected a dict, got {}", type_name(value));
  return generator(runtime, pairs_of(runtime, *value.dict()));
}

Value indent(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters given(runtime, "indent", arguments, {"width", "first", "blank"});
  const std::string space = indent_of(runtime, given, 0, 4);
  const bool first = given.boolean_or(1, false), blank = given.boolean_or(2, false);
  if (!value.text()) runtime.fail("indent: expected a str, got {}", type_name(value));
  const std::string text = *value.text() + '\n';  // so that there is a line
  std::string result;
  bool is_first = true;
  for (const std::string_view line : split_lines(text)) {
    runtime.spend(space.size() + line.size() + kStepUnits);
    if (!is_first) result += '\n';
    if (is_first ? first : (blank || !line.empty())) result += space;
    result += line;
    is_first = false;
  }
  return Value(std::move(result));
}

Value format(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  if (!arguments.positional.empty() && !arguments.named.empty())
    runtime.fail("format takes values with names or without, not both");
  Dict named;
  for (const auto& [name, held] : arguments.named) named.set(runtime, name, held);
  const Value values = named.items().empty()
                           ? Value::sequence(runtime, arguments.positional, SequenceKind::kTuple)
                           : Value(std::move(named));
  return Value(percent_formatted(runtime, text_of(runtime, value), values));
}

Value safe(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters none(runtime, "safe", arguments, {});
  return Value(Markup{text_of(runtime, value)});
}

/// `attr`: a method or attribute; a dict's values are neither.
Value attribute(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters given(runtime, "attr", arguments, {"name"});
  const std::string& name = given.text(0);
  if (!value.dict()) return attribute_of(runtime, value, name);
  return method_of(runtime, value, name).value_or(Value::undefined(name));
}

template <bool kept, bool by_attribute>
Value select(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  return select_items(runtime, value, arguments, kept, by_attribute);
}

template <int sign>
Value extreme(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  return extreme_item(runtime, value, arguments, sign);
}

constexpr std::array<std::pair<std::string_view, Function>, 37> kFilters{{
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
    {"round", round_number},
    {"replace", replace},
    {"reverse", reverse},
    {"items", items},
    {"indent", indent},
    {"format", format},
    {"safe", safe},
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
    {"attr", attribute},
}};

}  // namespace

Value filtered(Runtime& runtime, const std::string& name, const Value& value,
               const CallArguments& arguments) {
  constexpr std::array<std::string_view, 6> kOfMarkup{"safe",  "string",  "tojson",
                                                      "count", "default", "length"};
  const Runtime::Level level(runtime);
  runtime.step();
  if (value.is_markup() && std::ranges::find(kOfMarkup, name) == kOfMarkup.end())
    runtime.fail("the filter '{}' behind 'safe' is not supported", printable(name));
  for (const auto& [known, filter] : kFilters)
    if (known == name) return filter(runtime, value, arguments);
  runtime.fail("the filter '{}' is not supported", printable(name));
}

}  // namespace dualpath::data::jinja
