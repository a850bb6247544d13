#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/quantize_cpu.cpp"
#include <hwy/foreach_target.h>
// Highway compiles this file once for each kind of processor and picks at run time; its headers
// come after.
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>

#include "quant/kernels/finite.h"
#include "quant/kernels/levels-inl.h"
#include "quant/kernels/quantize.h"

HWY_BEFORE_NAMESPACE();
namespace dualpath::quant::HWY_NAMESPACE {
namespace {

// Plain loops: the law itself. Lanes are compared with them, and they serve all that lanes do not.

template <class Law>
std::int64_t quantize_plainly(const typename Law::Stored* x, std::int64_t n, Grid grid,
                              std::int8_t* codes, std::uint8_t* bits) {
  std::int64_t non_finite = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const float value = Law::load(x[i]);
    const bool finite = is_finite(value);
    const float rounded = level(finite ? value : 0.0f, grid);
    codes[i] = static_cast<std::int8_t>(saturate(rounded, grid));
    non_finite += !finite;
    if (!bits) continue;
    if (i % 8 == 0) bits[i / 8] = 0;
    bits[i / 8] |= static_cast<std::uint8_t>(in_range(rounded, grid) << i % 8);
  }
  return non_finite;
}

/// Finds the largest of the finite magnitudes.
template <class Law>
float absmax_plainly(const typename Law::Stored* x, std::int64_t n) {
  float absmax = 0.0f;
  for (std::int64_t i = 0; i < n; ++i) {
    const float magnitude = std::fabs(Law::load(x[i]));
    if (is_finite(magnitude)) absmax = std::max(absmax, magnitude);
  }
  return absmax;
}

/// Finds the grid for the range of the finite values and zero.
template <class Law>
Grid asymmetric_row_grid(const typename Law::Stored* x, std::int64_t n, int num_bits) {
  float min = 0.0f, max = 0.0f;
  for (std::int64_t i = 0; i < n; ++i) {
    const float stored = Law::load(x[i]), value = is_finite(stored) ? stored : 0.0f;
    min = std::min(min, value);
    max = std::max(max, value);
  }
  return asymmetric_grid(min, max, num_bits);
}

/// Returns `like` with a row's scale.
Grid row_grid(Grid like, float absmax) {
  like.scale = symmetric_scale(absmax, like.qmax - like.zero_point);
  return like;
}

#if HWY_TARGET == HWY_SCALAR

struct Float32Step {
  using Law = data::Float32;
};
struct BFloat16Step {
  using Law = data::BFloat16;
};
struct Float16Step {
  using Law = data::Float16;
};

template <class Step>
std::int64_t quantize_span(const typename Step::Law::Stored* x, std::int64_t n, Grid grid,
                           std::int8_t* codes, std::uint8_t* bits) {
  return quantize_plainly<typename Step::Law>(x, n, grid, codes, bits);
}

template <class Step>
std::int64_t quantize_each_row(const typename Step::Law::Stored* x, std::int64_t rows,
                               std::int64_t width, Grid like, std::int8_t* codes, float* scale) {
  std::int64_t non_finite = 0;
  for (std::int64_t row = 0; row < rows; ++row, x += width, codes += width) {
    const Grid grid = row_grid(like, absmax_plainly<typename Step::Law>(x, width));
    scale[row] = grid.scale;
    non_finite += quantize_plainly<typename Step::Law>(x, width, grid, codes, nullptr);
  }
  return non_finite;
}

#else

/// Holds the end of a span that is shorter than a step, followed by zeros.
template <class Stored>
struct Rest {
  Rest(const Stored* from, std::int64_t n) { std::copy_n(from, n, x); }
  Stored x[kMostStep] = {};
};

/// Room for a step of results that are not all wanted.
struct RestCodes {
  std::int8_t codes[kMostStep];
  std::uint8_t bits[kMostStep / 8];

  void write(std::int64_t n, std::int8_t* codes_out, std::uint8_t* bits_out) {
    std::copy_n(codes, n, codes_out);
    if (!bits_out) return;
    if (n % 8 != 0) bits[n / 8] &= static_cast<std::uint8_t>((1 << n % 8) - 1);
    std::copy_n(bits, (n + 7) / 8, bits_out);
  }
};

/// Asks early for memory that is read next: memory is slower than the lanes.
template <class Stored>
void prefetch(const Stored* x) {
  constexpr std::int64_t kLine = 64, kEarly = 8192 / sizeof(Stored);
  for (std::int64_t i = 0; i < step(); i += kLine / static_cast<std::int64_t>(sizeof(Stored)))
    hwy::Prefetch(x + kEarly + i);
}

/// Quantizes x and looks at the magnitudes of `ahead`, both [n]. `ahead` may be x itself or a later
/// row: one pass serves both. Returns its largest magnitude. The codes hold if x is finite and of
/// at most kMostLevels scales.
template <class Step, Ends kEnds, bool kBits>
float quantize_lanes(const typename Step::Stored* x, const typename Step::Stored* ahead,
                     std::int64_t n, Grid grid, std::int8_t* codes, std::uint8_t* bits) {
  const LevelLanes<kEnds> lanes(grid);
  auto magnitudes = Step::none();
  std::int64_t i = 0;
  for (; i + 2 * step() <= n; i += 2 * step()) {
    const std::int64_t next = i + step();
    prefetch(ahead + i);
    prefetch(ahead + next);
    magnitudes = Step::larger(Step::larger(magnitudes, ahead + i), ahead + next);
    const S first = lanes.template levels<Step>(x + i);
    const S second = lanes.template levels<Step>(x + next);
    lanes.store_codes(first, second, codes + i);
    if constexpr (kBits) {
      lanes.store_in_range(first, bits + i / 8);
      lanes.store_in_range(second, bits + next / 8);
    }
  }
  if (i + step() <= n) {
    magnitudes = Step::larger(magnitudes, ahead + i);
    const S levels = lanes.template levels<Step>(x + i);
    lanes.store_codes(levels, codes + i);
    if constexpr (kBits) lanes.store_in_range(levels, bits + i / 8);
    i += step();
  }
  if (i < n) {
    magnitudes = Step::larger(magnitudes, Rest(ahead + i, n - i).x);
    const S levels = lanes.template levels<Step>(Rest(x + i, n - i).x);
    RestCodes rest;
    lanes.store_codes(levels, rest.codes);
    if constexpr (kBits) lanes.store_in_range(levels, rest.bits);
    rest.write(n - i, codes + i, kBits ? bits + i / 8 : nullptr);
  }
  return Step::largest(magnitudes);
}

/// Looks at magnitudes after so many values, and does again the blocks that lanes do not serve.
constexpr std::int64_t kBlock = 4096;

template <class Step, Ends kEnds, bool kBits>
std::int64_t quantize_blocks(const typename Step::Stored* x, std::int64_t n, Grid grid,
                             std::int8_t* codes, std::uint8_t* bits) {
  using Law = typename Step::Law;
  using Lanes = LevelLanes<kEnds>;
  if (!Lanes::serves(grid)) return quantize_plainly<Law>(x, n, grid, codes, bits);
  const float limit = Lanes::kMostLevels * grid.scale;
  std::int64_t non_finite = 0;
  for (std::int64_t i = 0; i < n; i += kBlock) {
    const std::int64_t width = std::min(kBlock, n - i);
    std::uint8_t* const to = kBits ? bits + i / 8 : nullptr;
    const float largest =
        quantize_lanes<Step, kEnds, kBits>(x + i, x + i, width, grid, codes + i, to);
    const bool served = largest <= limit;  // not if it is NaN
    if (!served) non_finite += quantize_plainly<Law>(x + i, width, grid, codes + i, to);
  }
  return non_finite;
}

Ends ends_of(Grid g) {
  const auto is = [&](Grid other) {
    return g.zero_point == other.zero_point && g.qmin == other.qmin && g.qmax == other.qmax;
  };
  if (is(activation_grid(g.scale))) return Ends::kInt8;
  return is(unsigned_activation_grid(g.scale)) ? Ends::kUint8 : Ends::kGrid;
}

template <class Step>
std::int64_t quantize_span(const typename Step::Stored* x, std::int64_t n, Grid grid,
                           std::int8_t* codes, std::uint8_t* bits) {
  switch (ends_of(grid)) {
    case Ends::kInt8:
      return bits ? quantize_blocks<Step, Ends::kInt8, true>(x, n, grid, codes, bits)
                  : quantize_blocks<Step, Ends::kInt8, false>(x, n, grid, codes, bits);
    case Ends::kUint8:
      return bits ? quantize_blocks<Step, Ends::kUint8, true>(x, n, grid, codes, bits)
                  : quantize_blocks<Step, Ends::kUint8, false>(x, n, grid, codes, bits);
    case Ends::kGrid:
      return bits ? quantize_blocks<Step, Ends::kGrid, true>(x, n, grid, codes, bits)
                  : quantize_blocks<Step, Ends::kGrid, false>(x, n, grid, codes, bits);
  }
  return n;
}

template <class Step>
float largest_magnitude(const typename Step::Stored* x, std::int64_t n) {
  auto magnitudes = Step::none();
  std::int64_t i = 0;
  for (; i + step() <= n; i += step()) magnitudes = Step::larger(magnitudes, x + i);
  if (i < n) magnitudes = Step::larger(magnitudes, Rest(x + i, n - i).x);
  return Step::largest(magnitudes);
}

/// Looks at the row two below while a row is quantized: its scale is known when its turn comes, and
/// each row is read from memory once.
template <class Step, Ends kEnds>
std::int64_t quantize_rows_on(const typename Step::Stored* x, std::int64_t rows, std::int64_t width,
                              Grid like, std::int8_t* codes, float* scale) {
  using Law = typename Step::Law;
  constexpr std::int64_t kAhead = 2;
  float coming[kAhead] = {};
  for (std::int64_t row = 0; row < std::min(rows, kAhead); ++row)
    coming[row] = largest_magnitude<Step>(x + row * width, width);
  std::int64_t non_finite = 0;
  for (std::int64_t row = 0; row < rows; ++row, x += width, codes += width) {
    float& largest = coming[row % kAhead];
    const bool finite = is_finite(largest);
    const Grid grid = row_grid(like, finite ? largest : absmax_plainly<Law>(x, width));
    const auto* ahead = row + kAhead < rows ? x + kAhead * width : x;
    scale[row] = grid.scale;
    if (finite && LevelLanes<kEnds>::serves(grid)) {
      largest = quantize_lanes<Step, kEnds, false>(x, ahead, width, grid, codes, nullptr);
    } else {
      non_finite += quantize_plainly<Law>(x, width, grid, codes, nullptr);
      largest = largest_magnitude<Step>(ahead, width);
    }
  }
  return non_finite;
}

/// A row's own scale keeps its levels within symmetric bounds: narrowing has nothing to saturate.
template <class Step>
std::int64_t quantize_each_row(const typename Step::Stored* x, std::int64_t rows,
                               std::int64_t width, Grid like, std::int8_t* codes, float* scale) {
  const bool symmetric = like.qmin - like.zero_point <= like.zero_point - like.qmax;
  if (symmetric && like.zero_point == 0)
    return quantize_rows_on<Step, Ends::kInt8>(x, rows, width, like, codes, scale);
  if (symmetric && like.zero_point == kUnsignedShift)
    return quantize_rows_on<Step, Ends::kUint8>(x, rows, width, like, codes, scale);
  return quantize_rows_on<Step, Ends::kGrid>(x, rows, width, like, codes, scale);
}

#endif

Float32Step step_of(data::Float32) { return {}; }
BFloat16Step step_of(data::BFloat16) { return {}; }
Float16Step step_of(data::Float16) { return {}; }

/// Returns f(Float32Step()), f(BFloat16Step()) or f(Float16Step()): the element's.
template <class F>
std::int64_t visit_steps(data::Element element, const F& f) {
  return data::visit(element, [&](auto type) { return f(step_of(type)); });
}

template <class Step>
std::int64_t tensor_of(const void* x, std::int64_t n, Grid grid, std::int8_t* codes,
                       std::uint8_t* bits) {
  return quantize_span<Step>(static_cast<const typename Step::Law::Stored*>(x), n, grid, codes,
                             bits);
}

template <class Step>
std::int64_t rows_of(const void* x, std::int64_t rows, std::int64_t width, Grid like,
                     std::int8_t* codes, float* scale) {
  return quantize_each_row<Step>(static_cast<const typename Step::Law::Stored*>(x), rows, width,
                                 like, codes, scale);
}

template <class Step>
std::int64_t asymmetric_rows_of(const void* all, std::int64_t rows, std::int64_t width,
                                int num_bits, std::int8_t* codes, float* scale,
                                std::int8_t* zero_point) {
  const auto* x = static_cast<const typename Step::Law::Stored*>(all);
  std::int64_t non_finite = 0;
  for (std::int64_t row = 0; row < rows; ++row, x += width, codes += width) {
    const Grid grid = asymmetric_row_grid<typename Step::Law>(x, width, num_bits);
    scale[row] = grid.scale;
    zero_point[row] = static_cast<std::int8_t>(grid.zero_point);
    non_finite += quantize_span<Step>(x, width, without_zero_point(grid), codes, nullptr);
  }
  return non_finite;
}

std::int64_t quantize_tensor(data::Element element, const void* x, std::int64_t n, Grid grid,
                             std::int8_t* codes, std::uint8_t* bits) {
  return visit_steps(element,
                     [&](auto step) { return tensor_of<decltype(step)>(x, n, grid, codes, bits); });
}

std::int64_t quantize_rows(data::Element element, const void* x, std::int64_t rows,
                           std::int64_t width, Grid like, std::int8_t* codes, float* scale) {
  return visit_steps(element, [&](auto step) {
    return rows_of<decltype(step)>(x, rows, width, like, codes, scale);
  });
}

std::int64_t quantize_asymmetric_rows(data::Element element, const void* x, std::int64_t rows,
                                      std::int64_t width, int num_bits, std::int8_t* codes,
                                      float* scale, std::int8_t* zero_point) {
  return visit_steps(element, [&](auto step) {
    return asymmetric_rows_of<decltype(step)>(x, rows, width, num_bits, codes, scale, zero_point);
  });
}

}  // namespace
}  // namespace dualpath::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dualpath::quant {
namespace {

HWY_EXPORT(quantize_tensor);
HWY_EXPORT(quantize_rows);
HWY_EXPORT(quantize_asymmetric_rows);

}  // namespace

std::int64_t quantize_cpu(data::Element element, const void* x, std::int64_t n, Grid grid,
                          std::int8_t* codes, std::uint8_t* in_range) {
  return HWY_DYNAMIC_DISPATCH(quantize_tensor)(element, x, n, grid, codes, in_range);
}

std::int64_t quantize_rows_cpu(data::Element element, const void* x, std::int64_t rows,
                               std::int64_t width, Grid like, std::int8_t* codes, float* scale) {
  return HWY_DYNAMIC_DISPATCH(quantize_rows)(element, x, rows, width, like, codes, scale);
}

std::int64_t quantize_asymmetric_rows_cpu(data::Element element, const void* x, std::int64_t rows,
                                          std::int64_t width, int num_bits, std::int8_t* codes,
                                          float* scale, std::int8_t* zero_point) {
  return HWY_DYNAMIC_DISPATCH(quantize_asymmetric_rows)(element, x, rows, width, num_bits, codes,
                                                        scale, zero_point);
}

}  // namespace dualpath::quant
#endif
