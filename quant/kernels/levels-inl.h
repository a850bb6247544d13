// Levels of a grid as lanes, for kernels written with Highway. Included once for each kind of
// processor, as Highway has it.

#include <hwy/highway.h>

#include <cstdint>
#include <cstring>

#include "data/formats/element.h"
#include "modules/kernels/rows-inl.h"
#include "quant/arithmetic.h"

#if defined(DUALPATH_QUANT_KERNELS_LEVELS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef DUALPATH_QUANT_KERNELS_LEVELS_INL_H
#undef DUALPATH_QUANT_KERNELS_LEVELS_INL_H
#else
#define DUALPATH_QUANT_KERNELS_LEVELS_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace dualpath::quant::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using namespace modules::HWY_NAMESPACE;

// A processor without vectors has no lanes of half the width either. There the law's plain loops do
// everything.
#if HWY_TARGET != HWY_SCALAR

using Ints = hn::RebindToSigned<Floats>;
using I = hn::Vec<Ints>;
/// Twice as many lanes, for two vectors of floats.
using Shorts = hn::Repartition<std::int16_t, Floats>;
using S = hn::Vec<Shorts>;

/// Number of values taken at a time.
inline std::int64_t step() { return static_cast<std::int64_t>(hn::Lanes(Shorts())); }
constexpr std::int64_t kMostStep = HWY_MAX_BYTES / sizeof(std::int16_t);

// One step of stored values as two vectors of floats, and the way their levels come back into
// order. Magnitudes are compared as integers, which order them alike: infinity and NaN are the
// largest.

struct Float32Step : Float32Row {
  using Law = data::Float32;
  using Magnitudes = I;
  static constexpr bool kShort = false;

  static V first(const Stored* x) { return hn::LoadU(Floats(), x); }
  static V second(const Stored* x) { return hn::LoadU(Floats(), x + hn::Lanes(Floats())); }
  static S join(I first, I second) {
    const Shorts d;
    return hn::ConcatEven(d, hn::BitCast(d, second), hn::BitCast(d, first));
  }
  static Magnitudes none() { return hn::Zero(Ints()); }
  static Magnitudes larger(Magnitudes than, const Stored* x) {
    return hn::Max(than, hn::Max(magnitude(first(x)), magnitude(second(x))));
  }
  static float largest(Magnitudes m) {
    return hn::GetLane(hn::BitCast(Floats(), hn::MaxOfLanes(Ints(), m)));
  }

 private:
  static I magnitude(V x) {
    const Ints d;
    return hn::And(hn::BitCast(d, x), hn::Set(d, 0x7fffffff));
  }
};

/// Shared steps of the 16-bit types.
template <class Row, class LawOf>
struct ShortStep : Row {
  using Law = LawOf;
  using Stored = typename Row::Stored;
  using Magnitudes = S;
  static constexpr bool kShort = true;

  static Magnitudes none() { return hn::Zero(Shorts()); }
  static Magnitudes larger(Magnitudes than, const Stored* x) {
    const Shorts d;
    const S bits = hn::BitCast(d, hn::LoadU(hn::RebindToUnsigned<Shorts>(), x));
    return hn::Max(than, hn::And(bits, hn::Set(d, 0x7fff)));
  }
  static float largest(Magnitudes m) {
    return Law::load(static_cast<Stored>(hn::GetLane(hn::MaxOfLanes(Shorts(), m))));
  }
};

struct Float16Step : ShortStep<Float16Row, data::Float16> {
  static V first(const Stored* x) { return load<Float16Row>(x); }
  static V second(const Stored* x) { return load<Float16Row>(x + hn::Lanes(Floats())); }
  static S join(I first, I second) { return Float32Step::join(first, second); }
};

/// Takes the even elements, then the odd ones: nothing moves from lane to lane.
struct BFloat16Step : ShortStep<BFloat16Row, data::BFloat16> {
  using Pairs = hn::RebindToUnsigned<Ints>;
  static V first(const Stored* x) { return hn::BitCast(Floats(), hn::ShiftLeft<16>(pairs(x))); }
  static V second(const Stored* x) {
    return hn::BitCast(Floats(), hn::And(pairs(x), hn::Set(Pairs(), 0xffff0000u)));
  }
  static S join(I first, I second) {
    const Shorts d;
    return hn::OddEven(hn::BitCast(d, hn::ShiftLeft<16>(second)), hn::BitCast(d, first));
  }

 private:
  static hn::Vec<Pairs> pairs(const Stored* x) {
    return hn::BitCast(Pairs(), hn::LoadU(hn::RebindToUnsigned<Shorts>(), x));
  }
};

/// Bounds at which levels saturate: the ends of the codes' own type, where narrowing saturates by
/// itself (zero point 0 for int8, 128 for uint8), or the grid's.
enum class Ends { kInt8, kUint8, kGrid };

/// One grid, for a step of finite values of at most kMostLevels scales at a time. Networks have no
/// other values, nor grids that it does not serve: those go by the plain loops.
template <Ends kEnds>
class LevelLanes {
 public:
  static constexpr float kMostLevels = 0x1p14f;  // fits into 16 bits with the zero point added

  static bool serves(Grid g) {
    constexpr float kLeast = 0x1p-64f, kMost = 0x1p64f;  // no product underflows
    constexpr std::int32_t kMostShift = 1 << 13;
    return g.scale >= kLeast && g.scale <= kMost && g.zero_point <= kMostShift &&
           g.zero_point >= -kMostShift;
  }

  explicit LevelLanes(Grid g)
      : scale_(hn::Set(Floats(), g.scale)),
        inverse_(hn::Set(Floats(), 1.0f / g.scale)),
        inverse_rest_(rest_of(inverse_, scale_)),
        zero_point_(set(g.zero_point)),
        qmin_(set(g.qmin)),
        qmax_(set(g.qmax)),
        count_(set(g.qmax - g.qmin + 1)) {}

  /// level() for a step.
  template <class Step>
  S levels(const typename Step::Stored* x) const {
    const V first = quotient<Step>(Step::first(x)), second = quotient<Step>(Step::second(x));
    const S joined = Step::join(rounded(first), rounded(second));
    return kEnds == Ends::kGrid ? hn::Add(joined, zero_point_) : joined;
  }

  void store_codes(S levels, std::int8_t* codes) const {
    const hn::Rebind<std::int8_t, Shorts> signed_codes;
    const hn::Rebind<std::uint8_t, Shorts> bytes;
    auto* out = reinterpret_cast<std::uint8_t*>(codes);
    if constexpr (kEnds == Ends::kInt8) {
      hn::StoreU(hn::DemoteTo(signed_codes, levels), signed_codes, codes);
    } else if constexpr (kEnds == Ends::kUint8) {
      hn::StoreU(hn::DemoteTo(bytes, levels), bytes, out);
    } else {
      const S saturated = hn::Min(hn::Max(levels, qmin_), qmax_);
      hn::StoreU(hn::TruncateTo(bytes, hn::BitCast(Words(), saturated)), bytes, out);
    }
  }

  /// Stores the codes of two steps. AVX-512 narrows both at once, for which Highway 1.0 has no
  /// name.
  void store_codes(S first, S second, std::int8_t* codes) const {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
    if constexpr (kEnds != Ends::kGrid) {
      const __m512i packed = kEnds == Ends::kInt8 ? _mm512_packs_epi16(first.raw, second.raw)
                                                  : _mm512_packus_epi16(first.raw, second.raw);
      const __m512i in_order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
      _mm512_storeu_si512(codes, _mm512_permutexvar_epi64(in_order, packed));
      return;
    }
#endif
    store_codes(first, codes);
    store_codes(second, codes + step());
  }

  /// Stores a bit for each level: 1 where in_range() holds.
  void store_in_range(S levels, std::uint8_t* bits) const {
    const S above = kEnds == Ends::kUint8 ? levels : hn::Sub(levels, qmin_);
    std::uint8_t bytes[kMostStep / 8 + sizeof(std::uint64_t)];  // Highway may write 8 at once
    hn::StoreMaskBits(Words(), hn::Lt(hn::BitCast(Words(), above), hn::BitCast(Words(), count_)),
                      bytes);
    std::memcpy(bits, bytes, hn::Lanes(Shorts()) / 8);
  }

 private:
  using Words = hn::RebindToUnsigned<Shorts>;

  static S set(std::int32_t value) { return hn::Set(Shorts(), static_cast<std::int16_t>(value)); }

  /// 1 / scale - inverse, rounded.
  static V rest_of(V inverse, V scale) {
    return hn::Div(hn::NegMulAdd(inverse, scale, hn::Set(Floats(), 1.0f)), scale);
  }

  /// x / scale. With fused multiply-add, a 16-bit type's x times the reciprocal in two parts is
  /// exactly that (Brisebarre, Muller and Raina 2004). For 14 pairs of all their significands it is
  /// a neighbour that is no tie and beside none below kMostLevels: the level is the same.
  template <class Step>
  V quotient(V x) const {
#if HWY_NATIVE_FMA
    if constexpr (Step::kShort) return hn::MulAdd(x, inverse_, hn::Mul(x, inverse_rest_));
#endif
    return hn::Div(x, scale_);
  }

  /// Rounds half to even into the lower half of each lane, with uint8's zero point added: an even
  /// one, so ties stay ties. Floats of this size have the unit in their last place.
  static I rounded(V quotient) {
    constexpr float kUnitInLastPlace = 0x1.8p23f,
                    kShift = kEnds == Ends::kUint8 ? kUnsignedShift : 0;
    const V size = hn::Set(Floats(), kUnitInLastPlace + kShift);
    return hn::BitCast(Ints(), hn::Add(quotient, size));
  }

  V scale_, inverse_, inverse_rest_;
  S zero_point_, qmin_, qmax_, count_;
};

#endif

}  // namespace dualpath::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
