#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/scale_gradient_cpu.cpp"
#include <hwy/foreach_target.h>
// Highway compiles this file once for each kind of processor and picks at run time; its headers
// come after.
#include <hwy/highway.h>

#include <algorithm>

#include "modules/kernels/rows-inl.h"
#include "quant/kernels/range_bits-inl.h"
#include "quant/kernels/scale_gradient.h"

HWY_BEFORE_NAMESPACE();
namespace dualpath::quant::HWY_NAMESPACE {
namespace {

using namespace modules::HWY_NAMESPACE;

/// Mask of n elements, wherever the first is: gathered bit by bit.
hn::Mask<Floats> gathered_mask(const std::uint8_t* bits, std::int64_t i, std::int64_t n) {
  const Floats d;
  float ones[kMostLanes] = {};
  for (std::int64_t lane = 0; lane < n; ++lane)
    ones[lane] = static_cast<float>(bits[(i + lane) / 8] >> (i + lane) % 8 & 1);
  return hn::Gt(hn::LoadU(d, ones), hn::Zero(d));
}

template <class Row>
void scale_row(typename Row::Stored* grad, std::int64_t width, float scale,
               const std::uint8_t* in_range, std::int64_t first) {
  const Floats d;
  const V factor = hn::Set(d, scale);
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t i = 0; i < width; i += lanes) {
    V value = hn::Mul(load<Row>(d, grad, i, width), factor);
    if (in_range) {
      const std::int64_t bit = first + i, left = width - i;
      const bool whole = left >= lanes && bit % std::min<std::int64_t>(lanes, 8) == 0;
      const auto mask =
          whole ? mask_at(d, in_range, bit) : gathered_mask(in_range, bit, std::min(left, lanes));
      value = hn::IfThenElseZero(mask, value);
    }
    store<Row>(value, grad, i, width);
  }
}

template <class Row>
void scale_rows(const GradientRows& in) {
  auto* grad = static_cast<typename Row::Stored*>(in.grad);
  for (std::int64_t row = 0; row < in.rows; ++row, grad += in.width)
    scale_row<Row>(grad, in.width, in.scale[row], in.in_range, in.first + row * in.width);
}

void scale_gradient(const GradientRows& in) {
  visit_rows(in.element, [&](auto row) { scale_rows<decltype(row)>(in); });
}

}  // namespace
}  // namespace dualpath::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dualpath::quant {

HWY_EXPORT(scale_gradient);

void scale_gradient_cpu(const GradientRows& in) { HWY_DYNAMIC_DISPATCH(scale_gradient)(in); }

}  // namespace dualpath::quant
#endif
