#pragma once

#include <cmath>
#include <cstdint>

#ifdef __CUDACC__
#define DP_HOST_DEVICE __host__ __device__
#else
#define DP_HOST_DEVICE
#endif

/// The law: every kernel, simulated or integer, CPU or CUDA, computes exactly this. No torch, no
/// fast-math, no contraction. Rounding and saturation are ONNX QuantizeLinear's.
namespace dualpath::quant {

struct Grid {
  float scale;
  std::int32_t zero_point, qmin, qmax;
};

/// The largest code of `num_bits` bits: 127 of 8, 7 of 4.
DP_HOST_DEVICE constexpr std::int32_t qmax_of(int num_bits) { return (1 << (num_bits - 1)) - 1; }

/// The largest code of int8.
inline constexpr std::int32_t kInt8Qmax = qmax_of(8);

/// The grid of an activation: all 2^num_bits codes. Symmetric weights leave the lowest code out, as
/// ONNX Runtime, OpenVINO and TensorRT do.
constexpr Grid activation_grid(float scale, int num_bits = 8) {
  return {scale, 0, -qmax_of(num_bits) - 1, qmax_of(num_bits)};
}
/// Shift from int8 to uint8 on the same grid, whatever its bits: unsigned codes are the signed ones
/// plus 128. Kernels that multiply unsigned by signed bytes take unsigned codes and subtract 128
/// from the sums' inputs.
inline constexpr std::int32_t kUnsignedShift = 128;
constexpr Grid unsigned_activation_grid(float scale, int num_bits = 8) {
  const Grid grid = activation_grid(scale, num_bits);
  return {scale, kUnsignedShift, grid.qmin + kUnsignedShift, grid.qmax + kUnsignedShift};
}
constexpr Grid weight_grid(float scale, std::int32_t qmax = kInt8Qmax) {
  return {scale, 0, -qmax, qmax};
}

/// Rounds to a level, before saturation: x / scale half to even, then the shift. x must be finite.
DP_HOST_DEVICE inline float level(float x, Grid g) {
  return nearbyintf(x / g.scale) + static_cast<float>(g.zero_point);
}

/// Saturates before the cast, which is undefined past the range of int32.
DP_HOST_DEVICE inline std::int32_t saturate(float level, Grid g) {
  const float qmin = static_cast<float>(g.qmin), qmax = static_cast<float>(g.qmax);
  const float low = level < qmin ? qmin : level;
  return static_cast<std::int32_t>(low > qmax ? qmax : low);
}

DP_HOST_DEVICE inline std::int32_t quantize(float x, Grid g) { return saturate(level(x, g), g); }

/// Whether the straight-through gradient passes.
DP_HOST_DEVICE inline bool in_range(float level, Grid g) {
  return level >= static_cast<float>(g.qmin) && level <= static_cast<float>(g.qmax);
}

DP_HOST_DEVICE inline float dequantize(std::int32_t code, Grid g) {
  return static_cast<float>(code - g.zero_point) * g.scale;
}

/// The symmetric scale of a range. An all-zero channel (or one so small that its scale underflows)
/// has scale 1.
DP_HOST_DEVICE inline float symmetric_scale(float absmax, std::int32_t qmax) {
  const float scale = absmax / static_cast<float>(qmax);
  return scale > 0.0f ? scale : 1.0f;
}

/// The asymmetric grid of a weight's range; it uses all 2^num_bits codes. min <= 0 <= max, so that
/// zero is on the grid. A range of zero (or one so small that its scale underflows) has scale 1.
DP_HOST_DEVICE inline Grid asymmetric_grid(float min, float max, int num_bits) {
  const std::int32_t qmax = qmax_of(num_bits), qmin = -qmax - 1;
  // Halves cannot overflow: a range may be wider than float32 is long.
  const float half_steps = 0.5f * static_cast<float>(qmax - qmin);
  const float scale = (0.5f * max - 0.5f * min) / half_steps;
  Grid grid{scale > 0.0f ? scale : 1.0f, 0, qmin, qmax};
  grid.zero_point = saturate(static_cast<float>(qmin) - nearbyintf(min / grid.scale), grid);
  return grid;
}

/// The grid of the codes less their zero point, with the same values. Products take these codes,
/// since value = code * scale.
DP_HOST_DEVICE inline Grid without_zero_point(Grid g) {
  return {g.scale, 0, g.qmin - g.zero_point, g.qmax - g.zero_point};
}

/// The value of an int32 sum of products of codes. The two scales are multiplied first, then the
/// sum, once.
DP_HOST_DEVICE inline float scaled_sum(std::int32_t sum, float input_scale, float weight_scale) {
  return static_cast<float>(sum) * (input_scale * weight_scale);
}
/// Likewise for a sum that a kernel has made a float already.
DP_HOST_DEVICE inline float scaled_sum(float sum, float input_scale, float weight_scale) {
  return sum * (input_scale * weight_scale);
}

}  // namespace dualpath::quant
