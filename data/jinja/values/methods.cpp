#include "data/jinja/values/methods.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "data/base/utf8.h"
#include "data/jinja/values/letter_case.h"
#include "data/jinja/values/parameters.h"
#include "data/jinja/values/python_text.h"
#include "data/jinja/values/unicode.h"

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
  const Parameters given(runtime, "strip", arguments, {"chars"}, Naming::kPositionalOnly);
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
  const Parameters given(runtime, "splitlines", arguments, {"keepends"});
  return list_of(runtime, split_lines(*self.text(), given.boolean_or(0, false)));
}

/// The part of a text between two places, which count from the end if negative, as in Python.
struct Part {
  std::string_view text;
  std::int64_t start;  ///< the number of characters before it
};

/// Takes the places from arguments 1 and 2. Nothing if the first lies behind the second or the end.
std::optional<Part> part_of(Runtime& runtime, std::string_view text, const Parameters& given) {
  runtime.spend(text.size());
  const auto size = static_cast<std::int64_t>(count_code_points(text));
  const auto place = [&](std::size_t index, std::int64_t fallback) {
    const std::int64_t at = given.integer_if(index).value_or(fallback);
    return at < 0 ? std::max<std::int64_t>(at + size, 0) : at;
  };
  const std::int64_t start = place(1, 0), stop = std::min(place(2, size), size);
  if (start > stop) return std::nullopt;
  const auto bytes = [&](std::int64_t count) {
    std::size_t at = 0;
    for (; count > 0; --count) at += first_character(text.substr(at)).size();
    return at;
  };
  const std::size_t first = bytes(start);
  return Part{text.substr(first, bytes(stop) - first), start};
}

/// startswith and endswith: one text, or a tuple of which one will do.
template <class Fits>
Value fits_any(Runtime& runtime, const Value& self, const CallArguments& arguments,
               std::string_view function, const Fits& fits) {
  const Parameters given(runtime, function, arguments, {"text", "start", "end"},
                         Naming::kPositionalOnly);
  const Value& wanted = given.required(0);
  const auto part = part_of(runtime, *self.text(), given);
  if (!wanted.sequence() || !wanted.sequence()->is_tuple()) {
    const std::string& one = given.text(0);
    return Value(part && fits(part->text, one));
  }
  return Value(std::ranges::any_of(wanted.sequence()->items, [&](const Value& one) {
    if (!one.text()) runtime.fail("{}: expected a tuple of str", function);
    runtime.step();
    return part && fits(part->text, *one.text());
  }));
}

Value startswith(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  return fits_any(
      runtime, self, arguments, "startswith",
      [](std::string_view text, const std::string& part) { return text.starts_with(part); });
}
Value endswith(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  return fits_any(
      runtime, self, arguments, "endswith",
      [](std::string_view text, const std::string& part) { return text.ends_with(part); });
}

Value replace(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters given(runtime, "replace", arguments, {"old", "new", "count"},
                         Naming::kPositionalOnly);
  return replaced_text(runtime, *self.text(), given.text(0), given.text(1),
                       given.integer_or(2, -1));
}

/// The place of a part, counted in characters. Without one it is -1 or, for index, an Error.
template <auto find, bool must_be>
Value place_of(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters given(runtime, must_be ? "index" : "find", arguments, {"text", "start", "end"},
                         Naming::kPositionalOnly);
  const std::string& wanted = given.text(0);
  const auto part = part_of(runtime, *self.text(), given);
  const std::size_t place = part ? find(part->text, wanted) : std::string_view::npos;
  if (place != std::string_view::npos) {
    const std::size_t before = count_code_points(part->text.substr(0, place));
    return Value(part->start + static_cast<std::int64_t>(before));
  }
  if (must_be) runtime.fail("index: there is no '{}' in the str", printable(wanted));
  return Value(std::int64_t{-1});
}
std::size_t find_first(std::string_view text, std::string_view part) { return text.find(part); }
std::size_t find_last(std::string_view text, std::string_view part) { return text.rfind(part); }

Value count(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters given(runtime, "count", arguments, {"text", "start", "end"},
                         Naming::kPositionalOnly);
  const std::string& wanted = given.text(0);
  const auto part = part_of(runtime, *self.text(), given);
  return Value(static_cast<std::int64_t>(part ? count_of(part->text, wanted) : 0));
}

Value join(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters given(runtime, "join", arguments, {"texts"}, Naming::kPositionalOnly);
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
  const Parameters given(runtime, is_prefix ? "removeprefix" : "removesuffix", arguments, {"text"},
                         Naming::kPositionalOnly);
  const std::string &text = *self.text(), &part = given.text(0);
  runtime.spend(text.size());
  if (!(is_prefix ? text.starts_with(part) : text.ends_with(part))) return self;
  return Value(is_prefix ? text.substr(part.size()) : text.substr(0, text.size() - part.size()));
}

template <auto change>
Value recased(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters none(runtime, "a change of case", arguments, {});
  return Value(with_case(runtime, *self.text(), change));
}

/// islower and isupper.
template <auto holds>
Value is_of_case(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters none(runtime, "a test of case", arguments, {});
  runtime.spend(self.text()->size());
  return Value(holds(*self.text()));
}

/// isdigit and the like: whether there are characters, and all are of the kind.
template <auto is_one>
Value all_are(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters none(runtime, "a test of characters", arguments, {});
  std::string_view text = *self.text();
  runtime.spend(text.size());
  while (!text.empty() && is_one(code_point(first_character(text))))
    text.remove_prefix(first_character(text).size());
  return Value(text.empty() && !self.text()->empty());
}
bool is_decimal(std::uint32_t c) { return decimal_of(c).has_value(); }
bool is_letter_or_numeral(std::uint32_t c) { return is_letter(c) || is_numeral(c); }

Value get(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters given(runtime, "get", arguments, {"key", "default"}, Naming::kPositionalOnly);
  const Value& key = given.required(0);
  require_hashable(runtime, key);
  const Value* value = key.text() ? self.dict()->find(*key.text()) : nullptr;
  if (value) return *value;
  return given.given(1) ? *given.given(1) : Value();
}

Value items(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters none(runtime, "items", arguments, {});
  return Value::sequence(runtime, pairs_of(runtime, *self.dict()), SequenceKind::kItems);
}

Value keys(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters none(runtime, "keys", arguments, {});
  return Value::sequence(runtime, items_of(runtime, self), SequenceKind::kKeys);
}

Value values(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters none(runtime, "values", arguments, {});
  std::vector<Value> all;
  for (const auto& item : self.dict()->items()) all.push_back(item.second);
  return Value::sequence(runtime, std::move(all), SequenceKind::kValues);
}

Value count_item(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters given(runtime, "count", arguments, {"value"}, Naming::kPositionalOnly);
  const Value& wanted = given.required(0);
  return Value(std::int64_t{std::ranges::count_if(
      self.sequence()->items, [&](const Value& item) { return equal(runtime, item, wanted); })});
}

Value index(Runtime& runtime, const Value& self, const CallArguments& arguments) {
  const Parameters given(runtime, "index", arguments, {"value"}, Naming::kPositionalOnly);
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
    Method{"find", place_of<find_first, false>},
    Method{"rfind", place_of<find_last, false>},
    Method{"index", place_of<find_first, true>},
    Method{"rindex", place_of<find_last, true>},
    Method{"count", count},
    Method{"join", join},
    Method{"removeprefix", without<true>},
    Method{"removesuffix", without<false>},
    Method{"upper", recased<upper>},
    Method{"lower", recased<lower>},
    Method{"capitalize", recased<capitalized>},
    Method{"title", recased<titled>},
    Method{"casefold", recased<case_folded>},
    Method{"isupper", is_of_case<is_upper_text>},
    Method{"islower", is_of_case<is_lower_text>},
    Method{"isspace", all_are<static_cast<bool (*)(std::uint32_t)>(is_space)>},
    Method{"isalpha", all_are<is_letter>},
    Method{"isalnum", all_are<is_letter_or_numeral>},
    Method{"isdigit", all_are<is_digit>},
    Method{"isdecimal", all_are<is_decimal>},
};
constexpr std::array kDictMethods{Method{"get", get}, Method{"items", items}, Method{"keys", keys},
                                  Method{"values", values}};
constexpr std::array kListMethods{Method{"count", count_item}, Method{"index", index}};

// Python's other methods.
constexpr std::array<std::string_view, 19> kOtherTextMethods{
    "center",    "encode",     "expandtabs",  "format",    "format_map", "isascii", "isidentifier",
    "isnumeric", "istitle",    "isprintable", "ljust",     "maketrans",  "mro",     "partition",
    "rjust",     "rpartition", "swapcase",    "translate", "zfill"};
constexpr std::array<std::string_view, 7> kOtherDictMethods{
    "clear", "copy", "fromkeys", "pop", "popitem", "setdefault", "update"};
constexpr std::array<std::string_view, 9> kOtherListMethods{
    "append", "clear", "copy", "extend", "insert", "pop", "remove", "reverse", "sort"};
constexpr std::array<std::string_view, 3> kOtherRangeMethods{"start", "stop", "step"};
constexpr std::array<std::string_view, 2> kOtherViewMethods{"isdisjoint", "mapping"};
constexpr std::array<std::string_view, 10> kOtherNumberMethods{
    "as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator", "imag",
    "is_integer",       "numerator", "real",       "to_bytes"};

std::span<const std::string_view> other_methods_of(const Sequence& sequence) {
  switch (sequence.kind) {
    case SequenceKind::kList:
      return kOtherListMethods;
    case SequenceKind::kTuple:
      return {};
    case SequenceKind::kRange:
      return kOtherRangeMethods;
    default:
      return kOtherViewMethods;
  }
}

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
  if (self.is_markup() && !name.starts_with('_'))
    runtime.fail("'{}' of text that was marked as safe is not supported", printable(name));
  if (self.text()) return find_method(runtime, self, name, kTextMethods, kOtherTextMethods);
  if (self.dict()) return find_method(runtime, self, name, kDictMethods, kOtherDictMethods);
  if (is_number(self)) return find_method(runtime, self, name, {}, kOtherNumberMethods);
  if (!self.sequence()) return std::nullopt;
  const std::span<const Method> methods = self.sequence()->has_index()
                                              ? std::span<const Method>(kListMethods)
                                              : std::span<const Method>();
  return find_method(runtime, self, name, methods, other_methods_of(*self.sequence()));
}

std::string with_case(Runtime& runtime, std::string_view text,
                      std::string (*change)(std::string_view)) {
  constexpr std::size_t kMostGrowth = 3;
  runtime.spend(kMostGrowth * text.size());
  return change(text);
}

std::vector<Value> pairs_of(Runtime& runtime, const Dict& dict) {
  std::vector<Value> pairs;
  for (const auto& [key, value] : dict.items())
    pairs.push_back(Value::sequence(runtime, {Value(key), value}, SequenceKind::kTuple));
  return pairs;
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
  runtime.spend(text.size() + count_of(text, from) * to.size());
  return Value(replaced(text, from, to, most));
}

}  // namespace dualpath::data::jinja
