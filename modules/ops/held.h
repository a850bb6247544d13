#pragma once

#include <ATen/core/ivalue.h>

#include <memory>
#include <utility>

namespace dualpath::modules {

// Objects travel from a node's forward to its backward in its saved data, by shared ownership.

template <class T>
struct Holder : torch::CustomClassHolder {
  explicit Holder(std::shared_ptr<T> held) : object(std::move(held)) {}
  std::shared_ptr<T> object;
};

template <class T>
c10::IValue held(std::shared_ptr<T> object) {
  return c10::IValue::make_capsule(c10::make_intrusive<Holder<T>>(std::move(object)));
}

/// What held<T>() was given; valid while `value` lives.
template <class T>
T& held_in(const c10::IValue& value) {
  return *static_cast<Holder<T>&>(*value.toCapsule()).object;
}

}  // namespace dualpath::modules
