#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/jinja/values/value.h"

namespace dualpath::data::jinja {

/// Whether a caller may name the arguments: not those of most of Python's own methods.
enum class Naming { kAllowed, kPositionalOnly };

/// A call's arguments by the names of the parameters. Too many, unknown or double ones are an
/// Error naming the function. `function` is to be a literal or to live as long.
class Parameters {
 public:
  Parameters(Runtime& runtime, std::string_view function, const CallArguments& arguments,
             std::initializer_list<std::string_view> names, Naming naming = Naming::kAllowed);

  /// Null where the argument was left out; none counts as given.
  const Value* given(std::size_t index) const { return values_[index]; }
  /// An argument that was left out, or of another kind, is an Error.
  const Value& required(std::size_t index) const;
  const std::string& text(std::size_t index) const;

  std::int64_t integer(std::size_t index) const;

  /// Nothing for what was left out or is none.
  std::optional<std::string_view> text_if(std::size_t index) const;
  std::optional<std::int64_t> integer_if(std::size_t index) const;
  /// With fallbacks, for what was left out.
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
