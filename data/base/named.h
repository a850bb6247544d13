#pragma once

#include <cstddef>
#include <stdexcept>
#include <string_view>

namespace dualpath {

/// A value and the word for it in recipes and files. Each enumeration has one table of these,
/// beside its definition; recipe, export and messages all read that.
template <class T>
struct Named {
  std::string_view name;
  T value;
};

/// The word for a value. A value without a word is a mistake in the table.
template <class T, std::size_t N>
constexpr std::string_view name_in(const Named<T> (&table)[N], T value) {
  for (const Named<T>& entry : table) {
    if (entry.value == value) return entry.name;
  }
  throw std::logic_error("a value has no name");
}

}  // namespace dualpath
