#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace dualpath::data {

/// A value of GGUF metadata. Integers of all widths are widened, strings are views into the file.
struct GgufValue {
  using Array = std::vector<GgufValue>;
  std::variant<bool, std::int64_t, std::uint64_t, double, std::string_view, Array> value;
};

/// Describes a value for errors and for inspect: -7, "llama", an array of 3.
std::string describe(const GgufValue& value);

/// The value as a T, or nothing if it is of another kind or out of T's range. T: bool, an integer
/// type, float, double, std::string, std::string_view, or a std::vector of these other than bool.
/// Integers are taken as floating point too, never the other way.
template <class T>
std::optional<T> convert(const GgufValue& value);

namespace detail {

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};

template <class T>
std::optional<T> convert_number(const GgufValue& value) {
  return std::visit(
      []<class Stored>(const Stored& stored) -> std::optional<T> {
        if constexpr (std::integral<T> && std::integral<Stored> && !std::same_as<Stored, bool>) {
          if (!std::in_range<T>(stored)) return std::nullopt;
          return static_cast<T>(stored);
        } else if constexpr (std::floating_point<T> && std::is_arithmetic_v<Stored> &&
                             !std::same_as<Stored, bool>) {
          return static_cast<T>(stored);
        } else {
          return std::nullopt;
        }
      },
      value.value);
}

template <class T>
std::optional<std::vector<T>> convert_array(const GgufValue& value) {
  const auto* array = std::get_if<GgufValue::Array>(&value.value);
  if (array == nullptr) return std::nullopt;
  std::vector<T> result;
  result.reserve(array->size());
  for (const GgufValue& element : *array) {
    std::optional<T> converted = convert<T>(element);
    if (!converted) return std::nullopt;
    result.push_back(std::move(*converted));
  }
  return result;
}

template <class T>
std::string expected() {
  if constexpr (IsVector<T>::value) return "an array, each " + expected<typename T::value_type>();
  if constexpr (std::same_as<T, bool>) return "a bool";
  if constexpr (std::floating_point<T>) return "a number";
  if constexpr (std::unsigned_integral<T>) return "a uint" + std::to_string(8 * sizeof(T));
  if constexpr (std::signed_integral<T>) return "an int" + std::to_string(8 * sizeof(T));
  return "a string";
}

}  // namespace detail

template <class T>
std::optional<T> convert(const GgufValue& value) {
  if constexpr (detail::IsVector<T>::value) {
    return detail::convert_array<typename T::value_type>(value);
  } else if constexpr (std::same_as<T, bool>) {
    const bool* stored = std::get_if<bool>(&value.value);
    return stored == nullptr ? std::nullopt : std::optional(*stored);
  } else if constexpr (std::is_arithmetic_v<T>) {
    return detail::convert_number<T>(value);
  } else {
    const auto* stored = std::get_if<std::string_view>(&value.value);
    return stored == nullptr ? std::nullopt : std::optional(T(*stored));
  }
}

}  // namespace dualpath::data
