#include "data/jinja/list_filters.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "data/jinja/filters.h"
#include "data/jinja/operators.h"
#include "data/jinja/parameters.h"
#include "data/jinja/python_text.h"
#include "data/jinja/tests.h"

namespace dualpath::data::jinja {
namespace {

/// "a.b.0": one after the other.
Value at_path(Runtime& runtime, Value value, const Value& path) {
  if (!path.text()) return item_of(runtime, value, path);
  for (const std::string_view part : split(*path.text(), ".", -1)) {
    const bool is_index =
        !part.empty() && std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
    if (is_index && part.size() > 9) runtime.fail("an attribute's number is too large");
    const std::string name(part);
    value = is_index ? item_of(runtime, value, Value(std::int64_t{std::stoi(name)}))
                     : item_of(runtime, value, Value(name));
  }
  return value;
}

Value at_path_if(Runtime& runtime, const Value& value, const Value* path) {
  return path && !path->is_none() ? at_path(runtime, value, *path) : value;
}

CallArguments without_first(const CallArguments& arguments, std::size_t count) {
  CallArguments rest;
  rest.positional.assign(arguments.positional.begin() + static_cast<std::ptrdiff_t>(count),
                         arguments.positional.end());
  rest.named = arguments.named;
  return rest;
}

const std::string& name_at(Runtime& runtime, const CallArguments& arguments, std::size_t index,
                           std::string_view function) {
  const auto& given = arguments.positional;
  if (index >= given.size() || !given[index].text()) runtime.fail("{}: expected a name", function);
  return *given[index].text();
}

/// What sorting and comparing look at: without regard to case, unless told.
Value key_of(Runtime& runtime, const Value& value, const Value* path, bool case_sensitive) {
  Value key = at_path_if(runtime, value, path);
  if (!key.text() || case_sensitive) return key;
  if (!is_ascii(*key.text())) runtime.fail("order without case is supported for ASCII only");
  runtime.spend(key.text()->size());
  return Value(lower(*key.text()));
}

std::vector<Value> sorted(Runtime& runtime, const std::vector<Value>& items,
                          const std::vector<Value>& keys, bool reverse) {
  std::vector<std::size_t> order(items.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    return reverse ? ordered(runtime, keys[b], keys[a]) < 0
                   : ordered(runtime, keys[a], keys[b]) < 0;
  });
  std::vector<Value> result;
  for (const std::size_t i : order) result.push_back(items[i]);
  return result;
}

}  // namespace

Value map_items(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  std::vector<Value> result;
  if (!arguments.positional.empty()) {
    const std::string& name = name_at(runtime, arguments, 0, "map");
    const CallArguments rest = without_first(arguments, 1);
    for (const Value& item : items_of(runtime, value))
      result.push_back(filtered(runtime, name, item, rest));
  } else {
    const Parameters given(runtime, "map", arguments, {"attribute", "default"});
    const Value& attribute = given.required(0);
    for (const Value& item : items_of(runtime, value)) {
      Value found = at_path(runtime, item, attribute);
      if (found.is_undefined() && given.given(1)) found = *given.given(1);
      result.push_back(std::move(found));
    }
  }
  return Value::sequence(runtime, std::move(result));
}

Value select_items(Runtime& runtime, const Value& value, const CallArguments& arguments, bool kept,
                   bool by_attribute) {
  const std::size_t first = by_attribute ? 1 : 0;
  if (by_attribute && arguments.positional.empty()) runtime.fail("expected an attribute");
  const bool tests = arguments.positional.size() > first;
  const std::string name = tests ? name_at(runtime, arguments, first, "select") : "";
  const CallArguments rest = tests ? without_first(arguments, first + 1) : CallArguments();
  std::vector<Value> result;
  for (const Value& item : items_of(runtime, value)) {
    runtime.step();
    const Value tested = by_attribute ? at_path(runtime, item, arguments.positional[0]) : item;
    if ((tests ? passes(runtime, name, tested, rest) : is_true(tested)) == kept)
      result.push_back(item);
  }
  return Value::sequence(runtime, std::move(result));
}

Value sort_items(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters given(runtime, "sort", arguments, {"reverse", "case_sensitive", "attribute"});
  const std::vector<Value> items = items_of(runtime, value);
  std::vector<Value> keys;
  for (const Value& item : items)
    keys.push_back(key_of(runtime, item, given.given(2), given.boolean_or(1, false)));
  return Value::sequence(runtime, sorted(runtime, items, keys, given.boolean_or(0, false)));
}

Value unique_items(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters given(runtime, "unique", arguments, {"case_sensitive", "attribute"});
  std::vector<Value> seen, result;
  for (const Value& item : items_of(runtime, value)) {
    Value key = key_of(runtime, item, given.given(1), given.boolean_or(0, false));
    if (std::ranges::any_of(seen, [&](const Value& old) { return equal(runtime, old, key); }))
      continue;
    seen.push_back(std::move(key));
    result.push_back(item);
  }
  return Value::sequence(runtime, std::move(result));
}

Value dictsort(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters given(runtime, "dictsort", arguments, {"case_sensitive", "by", "reverse"});
  if (!value.dict()) runtime.fail("dictsort: expected a dict, got {}", type_name(value));
  const std::string_view by = given.text_if(1).value_or("key");
  if (by != "key" && by != "value") runtime.fail("dictsort: by: expected key or value");
  std::vector<Value> items, keys;
  for (const auto& [name, held] : value.dict()->items()) {
    items.push_back(Value::sequence(runtime, {Value(name), held}, /*is_tuple=*/true));
    keys.push_back(
        key_of(runtime, by == "key" ? Value(name) : held, nullptr, given.boolean_or(0, false)));
  }
  return Value::sequence(runtime, sorted(runtime, items, keys, given.boolean_or(2, false)));
}

Value extreme_item(Runtime& runtime, const Value& value, const CallArguments& arguments, int sign) {
  const Parameters given(runtime, "min or max", arguments, {"case_sensitive", "attribute"});
  const std::vector<Value> items = items_of(runtime, value);
  if (items.empty()) return Value::undefined("the extreme of an empty list");
  std::size_t best = 0;
  const auto key = [&](std::size_t i) {
    return key_of(runtime, items[i], given.given(1), given.boolean_or(0, false));
  };
  for (std::size_t i = 1; i < items.size(); ++i)
    if (sign * ordered(runtime, key(i), key(best)) > 0) best = i;
  return items[best];
}

Value sum_items(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters given(runtime, "sum", arguments, {"attribute", "start"});
  Value sum = given.given(1) ? *given.given(1) : Value(std::int64_t{0});
  for (const Value& item : items_of(runtime, value)) {
    runtime.step();
    sum = calculated(runtime, "+", sum, at_path_if(runtime, item, given.given(0)));
  }
  return sum;
}

Value join_items(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters given(runtime, "join", arguments, {"d", "attribute"});
  const std::string between = given.given(0) ? text_of(runtime, *given.given(0)) : "";
  std::string text;
  bool is_first = true;
  for (const Value& item : items_of(runtime, value)) {
    runtime.spend(between.size() + kStepUnits);
    if (!std::exchange(is_first, false)) text += between;
    text += text_of(runtime, at_path_if(runtime, item, given.given(1)));
  }
  return Value(std::move(text));
}

}  // namespace dualpath::data::jinja
