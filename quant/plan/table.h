#pragma once

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace dualpath::quant {

/// A list that keeps its order and finds an item by its name. The name, kName, is a data member or
/// a member function, and must not change. If two items share a name, the first is found.
template <class T, auto kName>
class Table {
 public:
  Table() = default;
  Table(std::initializer_list<T> items) {
    for (const T& item : items) push_back(item);
  }

  void push_back(T item) {
    places_.emplace(std::invoke(kName, item), items_.size());
    items_.push_back(std::move(item));
  }

  /// Finds an item by name; null if there is none.
  const T* find(const std::string& name) const {
    const auto found = places_.find(name);
    return found == places_.end() ? nullptr : &items_[found->second];
  }

  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }
  bool empty() const { return items_.empty(); }
  std::size_t size() const { return items_.size(); }
  const T& operator[](std::size_t i) const { return items_[i]; }
  const T& back() const { return items_.back(); }
  const T& front() const { return items_.front(); }
  T& front() { return items_.front(); }

 private:
  std::vector<T> items_;
  std::map<std::string, std::size_t> places_;
};

}  // namespace dualpath::quant
