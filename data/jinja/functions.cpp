#include "data/jinja/functions.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <map>
#include <utility>

#include "data/base/utf8.h"
#include "data/jinja/values/parameters.h"

namespace dualpath::data::jinja {
namespace {

using Code = Value (*)(Runtime&, const CallArguments&);

struct FunctionObject : Object {
  explicit FunctionObject(Code which) : code(which) {}
  std::string_view type() const override { return "function"; }
  bool is_callable() const override { return true; }
  Value call(Runtime& runtime, const CallArguments& arguments) const override {
    return code(runtime, arguments);
  }

  Code code;
};

/// The one kind of value that a template can change.
struct Namespace : Object {
  std::string_view type() const override { return "namespace"; }
  Value attribute(Runtime&, const std::string& name) override {
    const auto found = values.find(name);
    return found == values.end() ? Value::undefined(name) : found->second;
  }
  void set_attribute(Runtime& runtime, const std::string& name, Value value) override {
    if (name.starts_with('_')) runtime.fail("a namespace takes no name with '_' before it");
    if (value.object()) runtime.fail("a {} inside a namespace is not supported", type_name(value));
    runtime.spend(kItemUnits);
    values[name] = std::move(value);
  }

  std::map<std::string, Value> values;
};

/// Counts the values of the range.
std::uint64_t count_of(const Range& range) {
  const auto size = [](std::int64_t from, std::int64_t to) {
    return from < to ? static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from) : 0;
  };
  if (range.step > 0) {
    const auto step = static_cast<std::uint64_t>(range.step);
    const std::uint64_t whole = size(range.start, range.stop);
    return whole / step + (whole % step != 0 ? 1 : 0);
  }
  const std::uint64_t step = 0 - static_cast<std::uint64_t>(range.step);
  const std::uint64_t whole = size(range.stop, range.start);
  return whole / step + (whole % step != 0 ? 1 : 0);
}

Value range(Runtime& runtime, const CallArguments& arguments) {
  constexpr std::uint64_t kMost = 100000;  // the limit of Jinja's sandbox
  const Parameters given(runtime, "range", arguments, {"start", "stop", "step"},
                         Naming::kPositionalOnly);
  const std::int64_t first = given.integer(0);
  const Range all =
      given.given(1) ? Range{first, given.integer(1), given.integer_or(2, 1)} : Range{0, first, 1};
  if (all.step == 0) runtime.fail("range: the step cannot be 0");
  if (count_of(all) > kMost) runtime.fail("range: more than {} values", kMost);
  return Value::range(runtime, all);
}

Value make_namespace(Runtime& runtime, const CallArguments& arguments) {
  if (!arguments.positional.empty()) runtime.fail("namespace: only named arguments are supported");
  auto made = std::make_shared<Namespace>();
  for (const auto& [name, value] : arguments.named) made->set_attribute(runtime, name, value);
  return Value(std::shared_ptr<Object>(std::move(made)));
}

Value make_dict(Runtime& runtime, const CallArguments& arguments) {
  Dict dict;
  if (arguments.positional.size() > 1) runtime.fail("dict takes 1 argument without a name");
  for (const Value& value : arguments.positional) {
    if (!value.dict()) runtime.fail("dict: expected a dict, got {}", type_name(value));
    for (const auto& [key, held] : value.dict()->items()) dict.set(runtime, key, held);
  }
  for (const auto& [key, value] : arguments.named) dict.set(runtime, key, value);
  return Value(std::move(dict));
}

Value raise_exception(Runtime& runtime, const CallArguments& arguments) {
  const Parameters given(runtime, "raise_exception", arguments, {"message"});
  runtime.fail("the template refuses this conversation: {}",
               printable(text_of(runtime, given.required(0))));
}

/// The format without the parts that are empty for a time without a zone.
std::string without_zone(Runtime& runtime, std::string_view format) {
  std::string result;
  for (std::size_t place; (place = format.find('%')) != format.npos;) {
    const std::size_t last =
        std::min(format.find_first_not_of("_-0^#+:EO123456789", place + 1), format.size() - 1);
    const std::string_view code = format.substr(place, last + 1 - place);
    const bool is_zone = code.ends_with('z') || code.ends_with('Z');
    if (code.ends_with('f') || (is_zone && code.size() > 2))
      runtime.fail("strftime_now: {} is not supported", printable(code));
    result += format.substr(0, is_zone ? place : last + 1);
    format.remove_prefix(last + 1);
  }
  return result += format;
}

Value strftime_now(Runtime& runtime, const CallArguments& arguments) {
  const Parameters given(runtime, "strftime_now", arguments, {"format"});
  const std::string format = without_zone(runtime, given.text(0));
  std::array<char, 1024> buffer;
  const std::size_t size =
      std::strftime(buffer.data(), buffer.size(), format.c_str(), &runtime.now());
  if (format.find('\0') != format.npos || (size == 0 && !format.empty()))
    runtime.fail("strftime_now: not a format: '{}'", printable(format));
  return Value(replace_invalid_utf8({buffer.data(), size}));
}

constexpr std::array<std::pair<std::string_view, Code>, 5> kFunctions{{
    {"range", range},
    {"namespace", make_namespace},
    {"dict", make_dict},
    {"raise_exception", raise_exception},
    {"strftime_now", strftime_now},
}};

// Other names that Jinja gives a meaning to.
constexpr std::array<std::string_view, 6> kOtherFunctions{"cycler", "joiner", "kwargs",
                                                          "lipsum", "self",   "varargs"};

}  // namespace

std::optional<Value> function_named(Runtime& runtime, const std::string& name) {
  for (const auto& [known, code] : kFunctions)
    if (known == name)
      return Value(std::shared_ptr<Object>(std::make_shared<FunctionObject>(code)));
  if (std::ranges::find(kOtherFunctions, name) != kOtherFunctions.end())
    runtime.fail("'{}' is not supported", name);
  return std::nullopt;
}

}  // namespace dualpath::data::jinja
