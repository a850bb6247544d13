#include "data/jinja/methods.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "data/jinja/parameters.h"
#include "data/jinja/python_text.h"
#include "data/utf8.h"

namespace dualpath::data::jinja {
namespace {

using Function = Value (*)(Runtime&, const Value& self, const CallArguments&);

struct Method {
  std::string_view name;
  Function function;
};

struct BoundMethod : Object {
  BoundMethod(Value to, const Method& which) : self(std::move(to)), method(which) {}
  std::string_view type() const override { return "method"; }
  bool is_callable() const override { return true; }
  Value call(Runtime& runtime, const CallArguments& arguments) const override {
    return method.function(runtime, self, arguments);
  }

  Value self;
  const Method& method;
};

template <Side side>
Value strip(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters given(runtime, "strip", arguments, {"chars"});
  const auto of = given.text_if(0);
  runtime.spend(self.text()->size() * (of ? 1 + of->size() : 1));
  return Value(std::string(stripped(*self.text(), side, of)));
}

std::optional<std::string_view> separator_of(Runtime& runtime, const Parameters& given) {
  const auto separator = given.text_if(0);
  if (separator && separator->empty()) runtime.fail("split: empty separator");
  return separator;
}

Value split_text(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters given(runtime, "split", arguments, {"sep", "maxsplit"});
  return list_of(runtime,
                 split(*self.text(), separator_of(runtime, given), given.integer_or(1, -1)));
}

Value rsplit(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters given(runtime, "rsplit", arguments, {"sep", "maxsplit"});
  const auto separator = separator_of(runtime, given);
  if (!separator) runtime.fail("rsplit without a separator is not supported");
  return list_of(runtime, split_from_right(*self.text(), *separator, given.integer_or(1, -1)));
}

Value splitlines(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters given(runtime, "splitlines", arguments, {});
  return list_of(runtime, split_lines(*self.text()));
}

/// startswith and endswith: one text, or a tuple of which one will do.
template <class Fits>
Value fits_any(Runtime& runtime, const Value& self, const CallArguments& arguments,
               std::string_view function, const Fits& fits) {
  const Parameters given(runtime, function, arguments, {"text"});
  const Value& wanted = given.required(0);
  if (!wanted.sequence()) return Value(fits(*self.text(), given.text(0)));
  return Value(std::ranges::any_of(wanted.sequence()->items, [&](const Value& one) {
    if (!one.text()) runtime.fail("{}: expected a tuple of str", function);
    runtime.step();
    return fits(*self.text(), *one.text());
  }));
}

Value startswith(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  return fits_any(
      runtime, self, arguments, "startswith",
      [](const std::string& text, const std::string& part) { return text.starts_with(part); });
}
Value endswith(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  return fits_any(
      runtime, self, arguments, "endswith",
      [](const std::string& text, const std::string& part) { return text.ends_with(part); });
}

Value replace(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters given(runtime, "replace", arguments, {"old", "new", "count"});
  return replaced_text(runtime, *self.text(), given.text(0), given.text(1),
                       given.integer_or(2, -1));
}

/// The place of a part, counted in characters; -1 if there is none.
template <auto find>
Value place_of(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters given(runtime, "find", arguments, {"text"});
  const std::string_view text = *self.text();
  runtime.spend(text.size());
  const std::size_t place = find(text, given.text(0));
  if (place == text.npos) return Value(std::int64_t{-1});
  return Value(static_cast<std::int64_t>(count_code_points(text.substr(0, place))));
}
std::size_t find_first(std::string_view text, std::string_view part) { return text.find(part); }
std::size_t find_last(std::string_view text, std::string_view part) { return text.rfind(part); }

Value count(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters given(runtime, "count", arguments, {"text"});
  if (given.text(0).empty()) runtime.fail("count of an empty str is not supported");
  runtime.spend(self.text()->size());
  return Value(static_cast<std::int64_t>(count_of(*self.text(), given.text(0))));
}

Value join(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters given(runtime, "join", arguments, {"texts"});
  std::string text;
  bool is_first = true;
  for (const Value& item : items_of(runtime, given.required(0))) {
    if (!item.text()) runtime.fail("join: expected str, got {}", type_name(item));
    runtime.spend(self.text()->size() + item.text()->size());
    if (!std::exchange(is_first, false)) text += *self.text();
    text += *item.text();
  }
  return Value(std::move(text));
}

template <bool is_prefix>
Value without(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters given(runtime, is_prefix ? "removeprefix" : "removesuffix", arguments, {"text"});
  const std::string &text = *self.text(), &part = given.text(0);
  runtime.spend(text.size());
  if (!(is_prefix ? text.starts_with(part) : text.ends_with(part))) return self;
  return Value(is_prefix ? text.substr(part.size()) : text.substr(0, text.size() - part.size()));
}

template <auto change>
Value recased(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters none(runtime, "a change of case", arguments, {});
  return Value(change(cased(runtime, *self.text(), "a change of case")));
}

Value isdigit(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters none(runtime, "isdigit", arguments, {});
  const std::string& text = cased(runtime, *self.text(), "isdigit");
  return Value(!text.empty() &&
               std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }));
}

Value isspace(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters none(runtime, "isspace", arguments, {});
  runtime.spend(self.text()->size());
  return Value(!self.text()->empty() && stripped(*self.text()).empty());
}

Value get(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters given(runtime, "get", arguments, {"key", "default"});
  const Value& key = given.required(0);
  const Value* value = key.text() ? self.dict()->find(*key.text()) : nullptr;
  if (value) return *value;
  return given.given(1) ? *given.given(1) : Value();
}

Value items(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters none(runtime, "items", arguments, {});
  std::vector<Value> pairs;
  for (const auto& [key, value] : self.dict()->items())
    pairs.push_back(Value::sequence(runtime, {Value(key), value}, /*is_tuple=*/true));
  return Value::sequence(runtime, std::move(pairs));
}

Value keys(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters none(runtime, "keys", arguments, {});
  return Value::sequence(runtime, items_of(runtime, self));
}

Value values(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters none(runtime, "values", arguments, {});
  std::vector<Value> all;
  for (const auto& item : self.dict()->items()) all.push_back(item.second);
  return Value::sequence(runtime, std::move(all));
}

Value count_item(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters given(runtime, "count", arguments, {"value"});
  const Value& wanted = given.required(0);
  return Value(std::int64_t{std::ranges::count_if(
      self.sequence()->items, [&](const Value& item) { return equal(runtime, item, wanted); })});
}

Value index(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters given(runtime, "index", arguments, {"value"});
  const Value& wanted = given.required(0);
  const auto& all = self.sequence()->items;
  const auto found =
      std::ranges::find_if(all, [&](const Value& item) { return equal(runtime, item, wanted); });
  if (found == all.end()) runtime.fail("index: the value is not in the list");
  return Value(std::int64_t{found - all.begin()});
}

constexpr std::array kTextMethods{
    Method{"strip", strip<Side::kBoth>},
    Method{"lstrip", strip<Side::kLeft>},
    Method{"rstrip", strip<Side::kRight>},
    Method{"split", split_text},
    Method{"rsplit", rsplit},
    Method{"splitlines", splitlines},
    Method{"startswith", startswith},
    Method{"endswith", endswith},
    Method{"replace", replace},
    Method{"find", place_of<find_first>},
    Method{"rfind", place_of<find_last>},
    Method{"count", count},
    Method{"join", join},
    Method{"removeprefix", without<true>},
    Method{"removesuffix", without<false>},
    Method{"upper", recased<upper>},
    Method{"lower", recased<lower>},
    Method{"capitalize", recased<capitalized>},
    Method{"title", recased<titled>},
    Method{"isdigit", isdigit},
    Method{"isspace", isspace},
};
constexpr std::array kDictMethods{Method{"get", get}, Method{"items", items}, Method{"keys", keys},
                                  Method{"values", values}};
constexpr std::array kListMethods{Method{"count", count_item}, Method{"index", index}};

// What Python has besides.
constexpr std::array<std::string_view, 27> kOtherTextMethods{
    "casefold",   "center",   "encode",      "expandtabs",   "format",    "format_map", "index",
    "isalnum",    "isalpha",  "isascii",     "isdecimal",    "islower",   "isnumeric",  "isupper",
    "istitle",    "ljust",    "isprintable", "isidentifier", "partition", "rindex",     "rjust",
    "rpartition", "swapcase", "translate",   "zfill",        "maketrans", "mro"};
constexpr std::array<std::string_view, 7> kOtherDictMethods{
    "clear", "copy", "fromkeys", "pop", "popitem", "setdefault", "update"};
constexpr std::array<std::string_view, 9> kOtherListMethods{
    "append", "clear", "copy", "extend", "insert", "pop", "remove", "reverse", "sort"};

std::optional<Value> find_method(Runtime& runtime, const Value& self, const std::string& name,
                                 std::span<const Method> methods,
                                 std::span<const std::string_view> others) {
  const auto found = std::ranges::find(methods, name, &Method::name);
  if (found != methods.end()) return Value(std::make_shared<BoundMethod>(self, *found));
  if (std::ranges::find(others, name) == others.end()) return std::nullopt;
  runtime.fail("the method {} of a {} is not supported", name, type_name(self));
}

}  // namespace

std::optional<Value> method_of(Runtime& runtime, const Value& self, const std::string& name) {
  if (self.text()) return find_method(runtime, self, name, kTextMethods, kOtherTextMethods);
  if (self.dict()) return find_method(runtime, self, name, kDictMethods, kOtherDictMethods);
  if (self.sequence()) return find_method(runtime, self, name, kListMethods, kOtherListMethods);
  return std::nullopt;
}

const std::string& cased(Runtime& runtime, const std::string& text, std::string_view function) {
  runtime.spend(text.size());
  if (!is_ascii(text)) runtime.fail("{} is supported for ASCII only", function);
  return text;
}

Value list_of(Runtime& runtime, const std::vector<std::string_view>& texts) {
  std::vector<Value> items;
  for (const std::string_view text : texts) {
    runtime.spend(text.size());
    items.emplace_back(std::string(text));
  }
  return Value::sequence(runtime, std::move(items));
}

Value replaced_text(Runtime& runtime, const std::string& text, std::string_view from,
                    std::string_view to, std::int64_t most) {
  if (from.empty()) runtime.fail("replace of an empty str is not supported");
  runtime.spend(text.size() + count_of(text, from) * to.size());
  return Value(replaced(text, from, to, most));
}

}  // namespace dualpath::data::jinja
