#include "data/jinja/functions.h"

#include <array>
#include <ctime>
#include <map>
#include <utility>

#include "data/jinja/parameters.h"
#include "data/utf8.h"

namespace dualpath::data::jinja {
namespace {

using Code = Value (*)(Runtime&, const CallArguments&);

struct Function : Object {
  explicit Function(Code which) : code(which) {}
  std::string_view type() const override { return "function"; }
  bool is_callable() const override { return true; }
  Value call(Runtime& runtime, const CallArguments& arguments) const override {
    return code(runtime, arguments);
  }

  Code code;
};

/// The one thing that a template can change.
struct Namespace : Object {
  std::string_view type() const override { return "namespace"; }
  Value attribute(Runtime&, const std::string& name) const override {
    const auto found = values.find(name);
    return found == values.end() ? Value::undefined(name) : found->second;
  }
  void set_attribute(Runtime& runtime, const std::string& name, Value value) override {
    if (value.object()) runtime.fail("a {} inside a namespace is not supported", type_name(value));
    runtime.spend(kItemUnits);
    values[name] = std::move(value);
  }

  std::map<std::string, Value> values;
};

Value range(Runtime& runtime, const CallArguments& arguments) {
  const Parameters given(runtime, "range", arguments, {"start", "stop", "step"});
  const bool has_stop = given.given(1) != nullptr;
  const std::int64_t first = given.integer_or(0, 0);
  const std::int64_t start = has_stop ? first : 0, stop = has_stop ? given.integer_or(1, 0) : first,
                     step = given.integer_or(2, 1);
  if (step == 0) runtime.fail("range: the step cannot be 0");
  std::vector<Value> items;
  for (std::int64_t i = start; step > 0 ? i < stop : i > stop;) {
    runtime.spend(kItemUnits);
    items.emplace_back(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return Value::sequence(runtime, std::move(items));
}

Value make_namespace(Runtime& runtime, const CallArguments& arguments) {
  if (!arguments.positional.empty()) runtime.fail("namespace: only named arguments are supported");
  auto made = std::make_shared<Namespace>();
  for (const auto& [name, value] : arguments.named) made->set_attribute(runtime, name, value);
  return Value(std::shared_ptr<Object>(std::move(made)));
}

Value make_dict(Runtime& runtime, const CallArguments& arguments) {
  Dict dict;
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

Value strftime_now(Runtime& runtime, const CallArguments& arguments) {
  const Parameters given(runtime, "strftime_now", arguments, {"format"});
  const std::string& format = given.text(0);
  std::array<char, 1024> buffer;
  const std::size_t size =
      std::strftime(buffer.data(), buffer.size(), format.c_str(), &runtime.now());
  if (size == 0 && !format.empty())
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

}  // namespace

std::optional<Value> function_named(const std::string& name) {
  for (const auto& [known, code] : kFunctions)
    if (known == name) return Value(std::shared_ptr<Object>(std::make_shared<Function>(code)));
  return std::nullopt;
}

}  // namespace dualpath::data::jinja
