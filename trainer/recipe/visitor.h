#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/base/named.h"

namespace dualpath::trainer {

/// Inclusive bounds of a number.
template <class T>
struct Range {
  T low = std::numeric_limits<T>::lowest();
  T high = std::numeric_limits<T>::max();
};

enum class Presence { kRequired, kOptional };

/// Finds the mistake in a text; nothing if it is right.
using TextCheck = std::function<std::optional<std::string>(const std::string&)>;

/// Walks over the keys of a recipe. The keys are written once, as code that shows each field to a
/// visitor:
///   visitor.number("warmup_ratio", train.warmup_ratio, kShare);
/// RecipeReader then fills the field from YAML if the key is given, and RecipeWriter prints it.
/// Neither can forget a key that the other knows.
class RecipeVisitor {
 public:
  virtual ~RecipeVisitor() = default;

  virtual void integer(std::string_view key, std::int64_t& value, Range<std::int64_t> range) = 0;
  virtual void number(std::string_view key, double& value, Range<double> range) = 0;
  virtual void boolean(std::string_view key, bool& value) = 0;
  virtual void path(std::string_view key, std::filesystem::path& value, Presence presence) = 0;
  virtual void text(std::string_view key, std::string& value, const TextCheck& check) = 0;
  virtual void texts(std::string_view key, std::vector<std::string>& value,
                     const TextCheck& check) = 0;

  /// Visits a key whose value must be one of the choices.
  template <class T, std::size_t N>
  void choice(std::string_view key, T& value, const Named<T> (&choices)[N]);

  /// Visits a key that fills no field here. Schemes copied from elsewhere may give it, if it only
  /// says what is done anyway: null, or one of `values` ("{}" stands for the empty map).
  virtual void stated(std::string_view /*key*/, std::vector<std::string_view> /*values*/,
                      std::string_view /*expected*/) {}
  /// Visits a key that has no effect, whatever its value.
  virtual void without_effect(std::string_view /*key*/) {}
  /// Refuses null for the key that comes next. It would be taken for the default, although its
  /// author means something else.
  virtual void not_null(std::string_view /*key*/, std::string_view /*expected*/) {}

  /// Visits a section; visit() walks over the keys inside.
  virtual void section(std::string_view key, const std::function<void()>& visit) = 0;
  /// Visits a section that null removes; visit(value) runs if there is a value.
  template <class T>
  void section_or_null(std::string_view key, std::optional<T>& value,
                       const std::function<void(T&)>& visit);
  /// The keys of the open section, if the recipe's author chooses them. A reader that found the
  /// section tells them, and all are then known keys. Nothing: keep the keys there are.
  virtual std::optional<std::vector<std::string>> given_keys() { return std::nullopt; }
  /// Checks a condition on the open section as a whole, only if each of its keys is right.
  virtual void check(bool /*ok*/, std::string_view /*expected*/, std::string_view /*got*/) {}

 protected:
  /// Whether the key is null. is_null: whether it is null now.
  virtual bool null(std::string_view key, bool is_null) = 0;
  /// Returns the index of the name to take. current: the index of the name that holds now.
  virtual std::size_t choose(std::string_view key, std::span<const std::string_view> names,
                             std::size_t current) = 0;
};

template <class T, std::size_t N>
void RecipeVisitor::choice(std::string_view key, T& value, const Named<T> (&choices)[N]) {
  std::vector<std::string_view> names;
  std::size_t current = N;
  for (std::size_t i = 0; i < N; ++i) {
    names.push_back(choices[i].name);
    if (choices[i].value == value) current = i;
  }
  value = choices[choose(key, names, current)].value;
}

template <class T>
void RecipeVisitor::section_or_null(std::string_view key, std::optional<T>& value,
                                    const std::function<void(T&)>& visit) {
  if (null(key, !value)) return value.reset();
  if (!value) value.emplace();
  section(key, [&] { visit(*value); });
}

}  // namespace dualpath::trainer
