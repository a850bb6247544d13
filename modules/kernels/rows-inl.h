// Rows of the element types as float32 lanes, for kernels written with Highway. Included once for
// each kind of processor, as Highway has it.

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <limits>

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

/// Some lanes of one row in float32. Past the row's end it reads the type's lowest value: of no
/// weight in a softmax.
struct Float32Row {
  using Stored = float;
  static constexpr Stored kLowest = std::numeric_limits<float>::lowest();
  static V load(Floats d, const Stored* x) { return hn::LoadU(d, x); }
  static void store(V v, Stored* y) { hn::StoreU(v, Floats(), y); }
};

struct BFloat16Row {
  using Stored = std::uint16_t;
  static constexpr Stored kLowest = 0xff7f;
  static V load(Floats d, const Stored* x) {
    const hn::Rebind<std::uint16_t, Floats> d16;
    const hn::Rebind<std::uint32_t, Floats> d32;
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(d32, hn::LoadU(d16, x))));
  }
  /// To nearest, ties to even, as data::float_to_bfloat16; of NaNs those that processors make stay
  /// what they are.
  static void store(V v, Stored* y) {
    const hn::Rebind<std::uint16_t, Floats> d16;
    const hn::Rebind<std::uint32_t, Floats> d32;
    const auto bits = hn::BitCast(d32, v);
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d32, 1));
    const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(d32, 0x7fff)));
    hn::StoreU(hn::TruncateTo(d16, hn::ShiftRight<16>(rounded)), d16, y);
  }
};

struct Float16Row {
  using Stored = std::uint16_t;
  static constexpr Stored kLowest = 0xfbff;
  static V load(Floats d, const Stored* x) {
    const hn::Rebind<hwy::float16_t, Floats> d16;
    return hn::PromoteTo(d, hn::LoadU(d16, reinterpret_cast<const hwy::float16_t*>(x)));
  }
#if HWY_ARCH_X86 && HWY_TARGET >= HWY_SSE4
  /// Without the instruction Highway cuts bits off. To nearest, ties to even, as
  /// data::float_to_float16.
  static void store(V v, Stored* y) {
    const hn::Rebind<std::uint16_t, Floats> d16;
    const hn::RebindToUnsigned<Floats> d;
    const hn::RebindToSigned<Floats> ordered;
    const auto bits = hn::BitCast(d, v), sign = hn::And(bits, hn::Set(d, 0x80000000u));
    const auto magnitude = hn::Xor(bits, sign);
    const auto is_less = [&](std::int32_t limit) {
      return hn::RebindMask(d, hn::Lt(hn::BitCast(ordered, magnitude), hn::Set(ordered, limit)));
    };
    // The steps of its subnormals are those of float32 just above 0.5.
    const V raised = hn::Add(hn::BitCast(Floats(), magnitude), hn::Set(Floats(), 0.5f));
    const auto subnormal = hn::Sub(hn::BitCast(d, raised), hn::Set(d, 0x3f000000u));
    const auto odd = hn::And(hn::ShiftRight<13>(magnitude), hn::Set(d, 1u));
    const auto rebased = hn::Sub(magnitude, hn::Set(d, (112u << 23) - 0xfffu));
    const auto normal = hn::ShiftRight<13>(hn::Add(rebased, odd));
    const auto finite = hn::IfThenElse(is_less(0x38800000), subnormal, normal);
    const auto half = hn::IfThenElse(is_less(0x477ff000), finite, hn::Set(d, 0x7c00u));
    hn::StoreU(hn::TruncateTo(d16, hn::Or(half, hn::ShiftRight<16>(sign))), d16, y);
  }
#else
  static void store(V v, Stored* y) {
    const hn::Rebind<hwy::float16_t, Floats> d16;
    hn::StoreU(hn::DemoteTo(d16, v), d16, reinterpret_cast<hwy::float16_t*>(y));
  }
#endif
};

constexpr std::int64_t kMostLanes = HWY_MAX_BYTES / sizeof(float);

template <class Row>
V load(Floats d, const typename Row::Stored* row, std::int64_t i, std::int64_t words) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  if (i + lanes <= words) return Row::load(d, row + i);
  typename Row::Stored padded[kMostLanes];
  std::fill_n(std::copy(row + i, row + words, padded), lanes - (words - i), Row::kLowest);
  return Row::load(d, padded);
}

template <class Row>
void store(V v, typename Row::Stored* row, std::int64_t i, std::int64_t words) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(Floats()));
  if (i + lanes <= words) return Row::store(v, row + i);
  typename Row::Stored padded[kMostLanes];
  Row::store(v, padded);
  std::copy_n(padded, words - i, row + i);
}

template <class Row>
float at(const typename Row::Stored* row, std::int64_t i) {
  const Floats d;
  return hn::GetLane(load<Row>(d, row, i, i + 1));
}

}  // namespace dualpath::modules::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
