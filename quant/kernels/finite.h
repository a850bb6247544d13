#pragma once

#include <bit>
#include <cstdint>

namespace dualpath::quant {

/// std::isfinite as plain integer arithmetic, which every compiler vectorizes.
inline bool is_finite(float x) {
  return (std::bit_cast<std::uint32_t>(x) & 0x7f800000u) != 0x7f800000u;
}

}  // namespace dualpath::quant
