#include "data/jinja/values/parameters.h"

#include <algorithm>

namespace dualpath::data::jinja {

Parameters::Parameters(Runtime& runtime, std::string_view function, const CallArguments& arguments,
                       std::initializer_list<std::string_view> names, Naming naming)
    : runtime_(runtime), function_(function), names_(names), values_(names.size()) {
  if (arguments.positional.size() > names_.size())
    runtime.fail("{} takes {} arguments, got {}", function, names_.size(),
                 arguments.positional.size());
  for (std::size_t i = 0; i < arguments.positional.size(); ++i)
    values_[i] = &arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    if (naming == Naming::kPositionalOnly) runtime.fail("{} takes no named arguments", function);
    const auto found = std::ranges::find(names_, name);
    if (found == names_.end())
      runtime.fail("{}: there is no argument '{}', or it is not supported", function,
                   printable(name));
    const Value*& place = values_[static_cast<std::size_t>(found - names_.begin())];
    if (place) runtime.fail("{}: '{}' is given twice", function, name);
    place = &value;
  }
}

void Parameters::refuse(std::size_t index, std::string_view expected) const {
  runtime_.fail("{}: {}: expected {}, got {}", function_, names_[index], expected,
                values_[index] ? type_name(*values_[index]) : "nothing");
}

const Value& Parameters::required(std::size_t index) const {
  if (!given(index)) refuse(index, "a value");
  return *given(index);
}

const std::string& Parameters::text(std::size_t index) const {
  if (!given(index) || !given(index)->text()) refuse(index, "a str");
  return *given(index)->text();
}

std::int64_t Parameters::integer(std::size_t index) const {
  const Value* value = given(index);
  if (value && value->boolean()) return *value->boolean() ? 1 : 0;
  if (!value || !value->integer()) refuse(index, "an int");
  return *value->integer();
}

std::optional<std::string_view> Parameters::text_if(std::size_t index) const {
  if (!given(index) || given(index)->is_none()) return std::nullopt;
  return text(index);
}

std::optional<std::int64_t> Parameters::integer_if(std::size_t index) const {
  if (!given(index) || given(index)->is_none()) return std::nullopt;
  return integer(index);
}

std::int64_t Parameters::integer_or(std::size_t index, std::int64_t fallback) const {
  return given(index) ? integer(index) : fallback;
}

bool Parameters::boolean_or(std::size_t index, bool fallback) const {
  return given(index) ? is_true(*given(index)) : fallback;
}

}  // namespace dualpath::data::jinja
