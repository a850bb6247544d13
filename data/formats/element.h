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

}  // namespace dualpath::data
