#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/dequantize_cpu.cpp"
#include <hwy/foreach_target.h>
// Highway compiles this file once for each kind of processor and picks at run time; its headers
// come after.
#include <hwy/highway.h>

#include "modules/kernels/rows-inl.h"
#include "quant/arithmetic.h"
#include "quant/kernels/dequantize.h"

HWY_BEFORE_NAMESPACE();
namespace dualpath::quant::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using namespace modules::HWY_NAMESPACE;

/// Bits that flip a code's byte into int8 with zero point 0.
constexpr std::int8_t sign_flip(bool is_unsigned) {
  return is_unsigned ? static_cast<std::int8_t>(-kUnsignedShift) : std::int8_t{0};
}

template <class Row>
void dequantize_rows(const CodeRows& in, void* y_out) {
  const Floats d;
  const hn::Rebind<std::int8_t, Floats> bytes;
  const hn::RebindToSigned<Floats> ints;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int8_t* codes = in.codes;
  const std::int8_t flip = sign_flip(in.is_unsigned);
  auto* y = static_cast<typename Row::Stored*>(y_out);
  for (std::int64_t row = 0; row < in.rows; ++row, codes += in.width, y += in.width) {
    const V scale = hn::Set(d, in.scale[row]);
    std::int64_t i = 0;
    for (; i + lanes <= in.width; i += lanes) {
      const auto code = hn::Xor(hn::LoadU(bytes, codes + i), hn::Set(bytes, flip));
      store<Row>(hn::Mul(hn::ConvertTo(d, hn::PromoteTo(ints, code)), scale), y + i);
    }
    for (; i < in.width; ++i) {
      const auto code = static_cast<std::int8_t>(codes[i] ^ flip);
      store<Row>(hn::Set(d, static_cast<float>(code) * in.scale[row]), y, i, i + 1);
    }
  }
}

void dequantize_all(const CodeRows& in, data::Element element, void* y) {
  visit_rows(element, [&](auto row) { dequantize_rows<decltype(row)>(in, y); });
}

}  // namespace
}  // namespace dualpath::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dualpath::quant {

HWY_EXPORT(dequantize_all);

void dequantize_cpu(const CodeRows& in, data::Element element, void* y) {
  HWY_DYNAMIC_DISPATCH(dequantize_all)(in, element, y);
}

}  // namespace dualpath::quant
#endif
