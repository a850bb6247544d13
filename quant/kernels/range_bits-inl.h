// The bits of quantize.h's in_range as masks of lanes, for kernels written with Highway. Included
// once for each kind of processor, as Highway has it.

#include <hwy/highway.h>

#include <cstdint>
#include <cstring>

#if defined(DUALPATH_QUANT_KERNELS_RANGE_BITS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef DUALPATH_QUANT_KERNELS_RANGE_BITS_INL_H
#undef DUALPATH_QUANT_KERNELS_RANGE_BITS_INL_H
#else
#define DUALPATH_QUANT_KERNELS_RANGE_BITS_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace dualpath::quant::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Mask of as many elements as d has lanes. The first is element i, where a byte begins or, for
/// fewer lanes, its half.
template <class D>
hn::Mask<D> mask_at(D d, const std::uint8_t* bits, std::int64_t i) {
  std::uint8_t here[HWY_MAX_BYTES / 8 + sizeof(std::uint64_t)] = {};  // Highway may read 8 at once
  std::memcpy(here, bits + i / 8, (hn::Lanes(d) + 7) / 8);
  here[0] = static_cast<std::uint8_t>(here[0] >> i % 8);
  return hn::LoadMaskBits(d, here);
}

}  // namespace dualpath::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
