#pragma once

#include <cstdint>

#include "data/formats/half.h"

namespace dualpath::data {

/// The float types that kernels read and write.
enum class Element { kFloat32, kBFloat16, kFloat16 };

struct Float32 {
  using Stored = float;
  static float load(Stored x) { return x; }
  static Stored store(float x) { return x; }
};

struct BFloat16 {
  using Stored = std::uint16_t;
  static float load(Stored x) { return bfloat16_to_float(x); }
  static Stored store(float x) { return float_to_bfloat16(x); }
};

struct Float16 {
  using Stored = std::uint16_t;
  static float load(Stored x) { return float16_to_float(x); }
  static Stored store(float x) { return float_to_float16(x); }
};

/// From an element to its type: returns f(Float32()), f(BFloat16()) or f(Float16()).
template <class F>
decltype(auto) visit(Element element, const F& f) {
  switch (element) {
    case Element::kFloat32:
      return f(Float32());
    case Element::kBFloat16:
      return f(BFloat16());
    case Element::kFloat16:
      break;
  }
  return f(Float16());
}

}  // namespace dualpath::data
