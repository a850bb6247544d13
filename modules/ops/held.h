#pragma once

#include <ATen/core/ivalue.h>

#include <memory>
#include <utility>

namespace dualpath::modules {

// Holds an object in a node's saved data, by shared ownership, from its forward to its backward.

template <class T>
struct Holder : torch::CustomClassHolder {
  explicit Holder(std::shared_ptr<T> held) : object(std::move(held)) {}
  std::shared_ptr<T> object;
};

template <class T>
c10::IValue held(std::shared_ptr<T> object) {
  return c10::IValue::make_capsule(c10::make_intrusive<Holder<T>>(std::move(object)));
}

/// The object that held<T>() was given. Valid while `value` lives.
template <class T>
T& held_in(const c10::IValue& value) {
  return *static_cast<Holder<T>&>(*value.toCapsule()).object;
}

}  // namespace dualpath::modules
