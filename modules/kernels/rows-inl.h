// Rows of the element types as float32 lanes, for kernels written with Highway. Included once for
// each kind of processor, as Highway has it.

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <limits>

#include "data/formats/element.h"

#if defined(DUALPATH_MODULES_KERNELS_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef DUALPATH_MODULES_KERNELS_ROWS_INL_H
#undef DUALPATH_MODULES_KERNELS_ROWS_INL_H
#else
#define DUALPATH_MODULES_KERNELS_ROWS_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace dualpath::modules::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using V = hn::Vec<Floats>;

/// Some lanes of one row in float32. Past the row's end it reads the type's lowest value, which has
/// no weight in a softmax.
struct Float32Row {
  using Stored = float;
  using Bits = Floats;
  static constexpr Stored kLowest = std::numeric_limits<float>::lowest();
  static V wide(V stored) { return stored; }
  static V narrow(V v) { return v; }
};

struct BFloat16Row {
  using Stored = std::uint16_t;
  using Bits = hn::Rebind<Stored, Floats>;
  static constexpr Stored kLowest = 0xff7f;
  static V wide(hn::Vec<Bits> stored) {
    const hn::Rebind<std::uint32_t, Floats> d32;
    return hn::BitCast(Floats(), hn::ShiftLeft<16>(hn::PromoteTo(d32, stored)));
  }
  /// Rounds to nearest, ties to even, like data::float_to_bfloat16. NaNs that processors make stay
  /// unchanged.
  static hn::Vec<Bits> narrow(V v) {
    const hn::Rebind<std::uint32_t, Floats> d32;
    const auto bits = hn::BitCast(d32, v);
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d32, 1));
    const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(d32, 0x7fff)));
    return hn::TruncateTo(Bits(), hn::ShiftRight<16>(rounded));
  }
};

struct Float16Row {
  using Stored = std::uint16_t;
  using Bits = hn::Rebind<Stored, Floats>;
  static constexpr Stored kLowest = 0xfbff;
  static V wide(hn::Vec<Bits> stored) {
    const hn::Rebind<hwy::float16_t, Floats> d16;
    return hn::PromoteTo(Floats(), hn::BitCast(d16, stored));
  }
#if HWY_ARCH_X86 && HWY_TARGET >= HWY_SSE4
  /// Rounds to nearest, ties to even, like data::float_to_float16. Without the instruction Highway
  /// cuts bits off.
  static hn::Vec<Bits> narrow(V v) {
    const hn::RebindToUnsigned<Floats> d;
    const hn::RebindToSigned<Floats> ordered;
    const auto bits = hn::BitCast(d, v), sign = hn::And(bits, hn::Set(d, 0x80000000u));
    const auto magnitude = hn::Xor(bits, sign);
    const auto is_less = [&](std::int32_t limit) {
      return hn::RebindMask(d, hn::Lt(hn::BitCast(ordered, magnitude), hn::Set(ordered, limit)));
    };
    // Float16's subnormals have the steps of float32 just above 0.5.
    const V raised = hn::Add(hn::BitCast(Floats(), magnitude), hn::Set(Floats(), 0.5f));
    const auto subnormal = hn::Sub(hn::BitCast(d, raised), hn::Set(d, 0x3f000000u));
    const auto odd = hn::And(hn::ShiftRight<13>(magnitude), hn::Set(d, 1u));
    const auto rebased = hn::Sub(magnitude, hn::Set(d, (112u << 23) - 0xfffu));
    const auto normal = hn::ShiftRight<13>(hn::Add(rebased, odd));
    const auto finite = hn::IfThenElse(is_less(0x38800000), subnormal, normal);
    const auto half = hn::IfThenElse(is_less(0x477ff000), finite, hn::Set(d, 0x7c00u));
    return hn::TruncateTo(Bits(), hn::Or(half, hn::ShiftRight<16>(sign)));
  }
#else
  static hn::Vec<Bits> narrow(V v) {
    const hn::Rebind<hwy::float16_t, Floats> d16;
    return hn::BitCast(Bits(), hn::DemoteTo(d16, v));
  }
#endif
};

inline Float32Row row_of(data::Float32) { return {}; }
inline BFloat16Row row_of(data::BFloat16) { return {}; }
inline Float16Row row_of(data::Float16) { return {}; }

/// Calls f with the element's row type: f(Float32Row()), f(BFloat16Row()) or f(Float16Row()).
template <class F>
void visit_rows(data::Element element, const F& f) {
  data::visit(element, [&](auto type) { f(row_of(type)); });
}

constexpr std::int64_t kMostLanes = HWY_MAX_BYTES / sizeof(float);

template <class Row>
V load(const typename Row::Stored* x) {
  return Row::wide(hn::LoadU(typename Row::Bits(), x));
}

template <class Row>
void store(V v, typename Row::Stored* y) {
  hn::StoreU(Row::narrow(v), typename Row::Bits(), y);
}

/// Row i of `words`. Its end may be among the lanes.
template <class Row>
V load(Floats d, const typename Row::Stored* row, std::int64_t i, std::int64_t words) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  if (i + lanes <= words) return load<Row>(row + i);
#if HWY_MEM_OPS_MIGHT_FAULT
  typename Row::Stored padded[kMostLanes];
  std::fill_n(std::copy(row + i, row + words, padded), lanes - (words - i), Row::kLowest);
  return load<Row>(padded);
#else
  const typename Row::Bits bits;
  const auto there = hn::FirstN(bits, static_cast<std::size_t>(words - i));
  return Row::wide(
      hn::IfThenElse(there, hn::MaskedLoad(there, bits, row + i), hn::Set(bits, Row::kLowest)));
#endif
}

template <class Row>
void store(V v, typename Row::Stored* row, std::int64_t i, std::int64_t words) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(Floats()));
  if (i + lanes <= words) return store<Row>(v, row + i);
#if HWY_MEM_OPS_MIGHT_FAULT
  typename Row::Stored padded[kMostLanes];
  store<Row>(v, padded);
  std::copy_n(padded, words - i, row + i);
#else
  const typename Row::Bits bits;
  hn::BlendedStore(Row::narrow(v), hn::FirstN(bits, static_cast<std::size_t>(words - i)), bits,
                   row + i);
#endif
}

template <class Row>
float at(const typename Row::Stored* row, std::int64_t i) {
  const Floats d;
  return hn::GetLane(load<Row>(d, row, i, i + 1));
}

}  // namespace dualpath::modules::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
