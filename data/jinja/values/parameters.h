#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/jinja/values/value.h"

namespace dualpath::data::jinja {

/// Whether a caller may name the arguments. Most of Python's own methods do not allow it.
enum class Naming { kAllowed, kPositionalOnly };

/// A call's arguments by the names of the parameters. Too many, unknown or double ones are an Error
/// naming the function. `function` must be a literal or live as long.
class Parameters {
 public:
  Parameters(Runtime& runtime, std::string_view function, const CallArguments& arguments,
             std::initializer_list<std::string_view> names, Naming naming = Naming::kAllowed);

  /// The argument, or null if it was left out; none counts as given.
  const Value* given(std::size_t index) const { return values_[index]; }
  /// The argument; one that was left out, or is of another kind, is an Error.
  const Value& required(std::size_t index) const;
  const std::string& text(std::size_t index) const;

  std::int64_t integer(std::size_t index) const;

  /// The argument, or nothing if it was left out or is none.
  std::optional<std::string_view> text_if(std::size_t index) const;
  std::optional<std::int64_t> integer_if(std::size_t index) const;
  /// The argument, or the fallback if it was left out.
  std::int64_t integer_or(std::size_t index, std::int64_t fallback) const;
  bool boolean_or(std::size_t index, bool fallback) const;

 private:
  [[noreturn]] void refuse(std::size_t index, std::string_view expected) const;

  Runtime& runtime_;
  std::string_view function_;
  std::vector<std::string_view> names_;
  std::vector<const Value*> values_;
};

}  // namespace dualpath::data::jinja
