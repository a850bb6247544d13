#pragma once

#include <cstddef>
#include <string_view>

namespace dualpath {

/// A value and the word for it in recipes and files. Each enumeration has one table of these,
/// beside its definition; recipe, export and messages all read that.
template <class T>
struct Named {
  std::string_view name;
  T value;
};

/// The word for a value; every value must be in the table.
template <class T, std::size_t N>
constexpr std::string_view name_in(const Named<T> (&table)[N], T value) {
  std::size_t i = 0;
  while (table[i].value != value) ++i;
  return table[i].name;
}

}  // namespace dualpath
