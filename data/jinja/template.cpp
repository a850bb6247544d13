#include "data/jinja/template.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "data/base/utf8.h"
#include "data/jinja/interpreter.h"
#include "data/jinja/parser.h"

namespace dualpath::data::jinja {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kLargest = std::size_t{1} << 20;  // ten times the largest there are

constexpr std::uint64_t kLargestInteger = std::numeric_limits<std::int64_t>::max();

std::string_view checked(std::string_view source, const std::string& name) {
  if (source.size() > kLargest)
    throw Error("{}: {} bytes, more than a template may have", name, source.size());
  if (find_invalid_utf8(source) != std::string_view::npos) throw Error("{}: not UTF-8", name);
  return source;
}

Value value_of(Runtime& runtime, const ordered_json& json);

Dict dict_of(Runtime& runtime, const ordered_json& json) {
  Dict dict;
  for (const auto& [key, value] : json.items()) dict.set(runtime, key, value_of(runtime, value));
  return dict;
}

Value value_of(Runtime& runtime, const ordered_json& json) {
  if (json.is_null()) return Value();
  if (json.is_boolean()) return Value(json.get<bool>());
  if (json.is_number_unsigned() && json.get<std::uint64_t>() > kLargestInteger)
    runtime.fail("a number is too large");
  if (json.is_number_integer()) return Value(json.get<std::int64_t>());
  if (json.is_number()) return Value(json.get<double>());
  if (json.is_object()) return Value(dict_of(runtime, json));
  if (json.is_array()) {
    std::vector<Value> items;
    for (const ordered_json& item : json) items.push_back(value_of(runtime, item));
    return Value::sequence(runtime, std::move(items));
  }
  const auto& text = json.get_ref<const std::string&>();
  runtime.spend(text.size());
  return Value(replace_invalid_utf8(text));
}

}  // namespace

Template::Template(std::string_view source, std::string name)
    : name_(std::move(name)), body_(parse(checked(source, name_), name_)) {}

Rendering Template::rendering(const ordered_json& variables, const std::tm& now) const {
  Runtime runtime(name_, now);
  Interpreter interpreter(runtime);
  std::string text = interpreter.render(body_, dict_of(runtime, variables));
  return {std::move(text), interpreter.generated()};
}

}  // namespace dualpath::data::jinja
