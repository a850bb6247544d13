#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/mask_gradient_cpu.cpp"
#include <hwy/foreach_target.h>
// Highway compiles this file once for each kind of processor and picks at run time; its headers
// come after.
#include <hwy/highway.h>

#include "quant/kernels/mask_gradient.h"
#include "quant/kernels/range_bits-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dualpath::quant::HWY_NAMESPACE {
namespace {

/// Moves gradients, whatever their type. Word is an unsigned integer of their size.
template <class Word>
void mask_words(const void* grad_in, const std::uint8_t* bits, std::int64_t n, void* y_out) {
  const auto* grad = static_cast<const Word*>(grad_in);
  auto* y = static_cast<Word*>(y_out);
  const hn::ScalableTag<Word> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    hn::StoreU(hn::IfThenElseZero(mask_at(d, bits, i), hn::LoadU(d, grad + i)), d, y + i);
  }
  for (; i < n; ++i) y[i] = bits[i / 8] >> i % 8 & 1 ? grad[i] : Word{0};
}

void mask_gradient(data::Element element, const void* grad, const std::uint8_t* bits,
                   std::int64_t n, void* y) {
  if (element == data::Element::kFloat32) return mask_words<std::uint32_t>(grad, bits, n, y);
  mask_words<std::uint16_t>(grad, bits, n, y);
}

}  // namespace
}  // namespace dualpath::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dualpath::quant {

HWY_EXPORT(mask_gradient);

void mask_gradient_cpu(data::Element element, const void* grad, const std::uint8_t* in_range,
                       std::int64_t n, void* y) {
  HWY_DYNAMIC_DISPATCH(mask_gradient)(element, grad, in_range, n, y);
}

}  // namespace dualpath::quant
#endif
