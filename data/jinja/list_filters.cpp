#include "data/jinja/list_filters.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "data/jinja/filters.h"
#include "data/jinja/tests.h"
#include "data/jinja/values/generator.h"
#include "data/jinja/values/letter_case.h"
#include "data/jinja/values/methods.h"
#include "data/jinja/values/operators.h"
#include "data/jinja/values/parameters.h"
#include "data/jinja/values/python_number.h"
#include "data/jinja/values/python_text.h"
#include "data/jinja/values/unicode.h"

namespace dualpath::data::jinja {
namespace {

/// The parts of an attribute's path: "a.b.0" is looked up part by part. None gives the value
/// itself.
std::vector<Value> parts_of(Runtime& runtime, const Value* path) {
  std::vector<Value> parts;
  if (!path || path->is_none()) return parts;
  if (path->integer() || path->boolean()) return {*path};
  if (!path->text()) runtime.fail("an attribute: expected a str or int, got {}", type_name(*path));
  for (const std::string_view part : split(*path->text(), ".", -1)) {
    const bool is_index = !part.empty() && std::ranges::all_of(characters(part), [](auto c) {
      return is_digit(code_point(c));
    });
    if (!is_index) parts.emplace_back(std::string(part));
    if (!is_index) continue;
    const auto index = read_integer(runtime, part, 10);
    if (!index) runtime.fail("an attribute: not an index: '{}'", printable(part));
    parts.emplace_back(*index);
  }
  return parts;
}

/// The value at a path. fallback: taken wherever there is nothing; null or none for no fallback.
Value at_path(Runtime& runtime, Value value, const std::vector<Value>& parts,
              const Value* fallback = nullptr) {
  for (const Value& part : parts) {
    value = item_of(runtime, value, part);
    if (value.is_undefined() && fallback && !fallback->is_none()) value = *fallback;
  }
  return value;
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

/// The key for comparing: without regard to case, unless case_sensitive.
Value key_of(Runtime& runtime, const Value& value, const std::vector<Value>& path,
             bool case_sensitive) {
  Value key = at_path(runtime, value, path);
  if (!key.text() || case_sensitive) return key;
  return Value(with_case(runtime, *key.text(), lower));
}

/// The keys for sorting: lists, since "a,b" names several attributes.
std::vector<Value> sort_keys(Runtime& runtime, const std::vector<Value>& items, const Value* path,
                             bool case_sensitive) {
  std::vector<std::vector<Value>> paths;
  if (path && path->text()) {
    for (const std::string_view one : split(*path->text(), ",", -1)) {
      const Value text{std::string(one)};
      paths.push_back(parts_of(runtime, &text));
    }
  } else {
    paths.push_back(parts_of(runtime, path));
  }
  std::vector<Value> keys;
  for (const Value& item : items) {
    std::vector<Value> key;
    for (const auto& parts : paths) key.push_back(key_of(runtime, item, parts, case_sensitive));
    keys.push_back(Value::sequence(runtime, std::move(key)));
  }
  return keys;
}

Value sorted(Runtime& runtime, const std::vector<Value>& items, const std::vector<Value>& keys,
             bool reverse) {
  std::vector<std::size_t> order(items.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    return reverse ? ordered(runtime, keys[b], keys[a]) < 0
                   : ordered(runtime, keys[a], keys[b]) < 0;
  });
  std::vector<Value> result;
  for (const std::size_t i : order) result.push_back(items[i]);
  return Value::sequence(runtime, std::move(result));
}

}  // namespace

Value map_items(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  std::vector<Value> result;
  if (!is_true(value)) return generator(runtime, {});
  if (!arguments.positional.empty()) {
    const std::string& name = name_at(runtime, arguments, 0, "map");
    const CallArguments rest = without_first(arguments, 1);
    for (const Value& item : items_of(runtime, value))
      result.push_back(filtered(runtime, name, item, rest));
  } else {
    const Parameters given(runtime, "map", arguments, {"attribute", "default"});
    const std::vector<Value> path = parts_of(runtime, &given.required(0));
    for (const Value& item : items_of(runtime, value))
      result.push_back(at_path(runtime, item, path, given.given(1)));
  }
  return generator(runtime, std::move(result));
}

Value select_items(Runtime& runtime, const Value& value, const CallArguments& arguments, bool kept,
                   bool by_attribute) {
  const std::size_t first = by_attribute ? 1 : 0;
  if (by_attribute && arguments.positional.empty()) runtime.fail("expected an attribute");
  const bool tests = arguments.positional.size() > first;
  const std::string name = tests ? name_at(runtime, arguments, first, "select") : "";
  const CallArguments rest = tests ? without_first(arguments, first + 1) : CallArguments();
  std::vector<Value> path, result;
  if (by_attribute) path = parts_of(runtime, arguments.positional.data());
  if (!is_true(value)) return generator(runtime, {});
  for (const Value& item : items_of(runtime, value)) {
    runtime.step();
    const Value tested = at_path(runtime, item, path);
    if ((tests ? passes(runtime, name, tested, rest) : is_true(tested)) == kept)
      result.push_back(item);
  }
  return generator(runtime, std::move(result));
}

Value sort_items(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters given(runtime, "sort", arguments, {"reverse", "case_sensitive", "attribute"});
  const std::vector<Value> items = items_of(runtime, value);
  const std::vector<Value> keys =
      sort_keys(runtime, items, given.given(2), given.boolean_or(1, false));
  return sorted(runtime, items, keys, given.boolean_or(0, false));
}

Value unique_items(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters given(runtime, "unique", arguments, {"case_sensitive", "attribute"});
  const std::vector<Value> path = parts_of(runtime, given.given(1));
  std::vector<Value> seen, result;
  for (const Value& item : items_of(runtime, value)) {
    Value key = key_of(runtime, item, path, given.boolean_or(0, false));
    require_hashable(runtime, key);
    if (std::ranges::any_of(seen, [&](const Value& old) { return equal(runtime, old, key); }))
      continue;
    seen.push_back(std::move(key));
    result.push_back(item);
  }
  return generator(runtime, std::move(result));
}

Value dictsort(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters given(runtime, "dictsort", arguments, {"case_sensitive", "by", "reverse"});
  if (!value.dict()) runtime.fail("dictsort: expected a dict, got {}", type_name(value));
  const std::string by = given.given(1) ? given.text(1) : "key";
  if (by != "key" && by != "value") runtime.fail("dictsort: by: expected key or value");
  const std::vector<Value> items = pairs_of(runtime, *value.dict());
  std::vector<Value> keys;
  for (const auto& [name, held] : value.dict()->items())
    keys.push_back(
        key_of(runtime, by == "key" ? Value(name) : held, {}, given.boolean_or(0, false)));
  return sorted(runtime, items, keys, given.boolean_or(2, false));
}

Value extreme_item(Runtime& runtime, const Value& value, const CallArguments& arguments, int sign) {
  const Parameters given(runtime, "min or max", arguments, {"case_sensitive", "attribute"});
  const std::vector<Value> items = items_of(runtime, value);
  if (items.empty()) return Value::undefined("the extreme of an empty list");
  const std::vector<Value> path = parts_of(runtime, given.given(1));
  std::size_t best = 0;
  const auto key = [&](std::size_t i) {
    return key_of(runtime, items[i], path, given.boolean_or(0, false));
  };
  for (std::size_t i = 1; i < items.size(); ++i) {
    const std::partial_ordering order = ordered(runtime, key(i), key(best));
    if (sign > 0 ? order > 0 : order < 0) best = i;
  }
  return items[best];
}

Value sum_items(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters given(runtime, "sum", arguments, {"attribute", "start"});
  const std::vector<Value> path = parts_of(runtime, given.given(0));
  Value sum = given.given(1) ? *given.given(1) : Value(std::int64_t{0});
  if (sum.text()) runtime.fail("sum: start: expected no str");
  for (const Value& item : items_of(runtime, value)) {
    runtime.step();
    sum = calculated(runtime, "+", sum, at_path(runtime, item, path));
  }
  return sum;
}

Value join_items(Runtime& runtime, const Value& value, const CallArguments& arguments) {
  const Parameters given(runtime, "join", arguments, {"d", "attribute"});
  const std::string between = given.given(0) ? text_of(runtime, *given.given(0)) : "";
  const std::vector<Value> path = parts_of(runtime, given.given(1));
  std::string text;
  bool is_first = true;
  for (const Value& item : items_of(runtime, value)) {
    runtime.spend(between.size() + kStepUnits);
    if (!std::exchange(is_first, false)) text += between;
    text += text_of(runtime, at_path(runtime, item, path));
  }
  return Value(std::move(text));
}

}  // namespace dualpath::data::jinja
