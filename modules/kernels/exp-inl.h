// exp of float32 lanes, for kernels written with Highway. Included once for each kind of processor,
// as Highway has it.

#include <hwy/highway.h>

#include "modules/kernels/rows-inl.h"

#if defined(DUALPATH_MODULES_KERNELS_EXP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef DUALPATH_MODULES_KERNELS_EXP_INL_H
#undef DUALPATH_MODULES_KERNELS_EXP_INL_H
#else
#define DUALPATH_MODULES_KERNELS_EXP_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace dualpath::modules::HWY_NAMESPACE {

/// e^x within 4e-7 of itself, for x up to 88. It is 0 below -87, where float32's normal numbers
/// end, and NaN for NaN. e^x = 2^n e^r, and e^r by the polynomial of Cephes' expf (Moshier 1989).
/// That is two thirds of the instructions of Highway's own, which has subnormal results, too.
HWY_INLINE V exp(V x) {
  const Floats d;
  const hn::RebindToSigned<Floats> bits;
  const V to_integer = hn::Set(d, 0x1.8p23f);  // added, it leaves the nearest integer's bits last
  const V shifted = hn::MulAdd(x, hn::Set(d, 1.44269504f), to_integer);
  const V n = hn::Sub(shifted, to_integer);
  const V ln2 = hn::Set(d, 0.693359375f), ln2_rest = hn::Set(d, -2.12194440e-4f);
  const V r = hn::NegMulAdd(n, ln2_rest, hn::NegMulAdd(n, ln2, x));
  V sum = hn::MulAdd(hn::Set(d, 1.9875691500e-4f), r, hn::Set(d, 1.3981999507e-3f));
  for (const float term : {8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f})
    sum = hn::MulAdd(sum, r, hn::Set(d, term));
  const V power = hn::Add(hn::MulAdd(sum, hn::Mul(r, r), r), hn::Set(d, 1.0f));
  const auto exponent = hn::ShiftLeft<23>(hn::BitCast(bits, shifted));
  const V scaled = hn::BitCast(d, hn::Add(hn::BitCast(bits, power), exponent));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -87.0f)), scaled);
}

}  // namespace dualpath::modules::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
