// Ice Lake's vectors and newer ones have VNNI, which Highway has no name for.
#define HWY_WANT_AVX3_DL

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/grouped_product_cpu.cpp"
#include <hwy/foreach_target.h>
// Highway compiles this file once for each kind of processor and picks at run time; its headers
// come after.
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "modules/kernels/rows-inl.h"
#include "quant/arithmetic.h"
#include "quant/kernels/grouped_product.h"

HWY_BEFORE_NAMESPACE();
namespace dualpath::quant::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using namespace modules::HWY_NAMESPACE;

float input_scale(const GroupedRows& in, std::int64_t row) {
  return in.scale.values ? in.scale.values[row * in.scale.step] : in.scale.value;
}

#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
constexpr bool kHasVectors = true;

using Ints = hn::RebindToSigned<Floats>;
using I = hn::Vec<Ints>;

I load_quads(const std::int8_t* codes) {
  return hn::BitCast(Ints(), hn::LoadU(hn::Repartition<std::int8_t, Ints>(), codes));
}

/// Puts one quad of a row's codes in every lane.
I same_quads(const std::uint8_t* codes) {
  std::int32_t quad;
  std::memcpy(&quad, codes, sizeof quad);
  return hn::Set(Ints(), quad);
}

#if HWY_TARGET == HWY_AVX3_DL
constexpr int kMostRows = 6;  // their sums and values, two vectors each, fill the registers

using Weights = I;
using Inputs = I;
Weights weights_of(I quads) { return quads; }
Inputs inputs_of(I quads) { return quads; }
/// Adds by assembly: with the intrinsic, GCC 12 copies every sum twice.
I add_products(I sum, Inputs x, Weights w) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum.raw) : "v"(x.raw), "v"(w.raw));
  return sum;
}

#else
constexpr int kMostRows = 2;

/// Holds even and odd codes apart, in 16 bits, so that no instruction saturates their products.
using Shorts = hn::Repartition<std::int16_t, Ints>;
struct Halves {
  hn::Vec<Shorts> even, odd;
};
using Weights = Halves;
using Inputs = Halves;
Weights weights_of(I quads) {
  const auto pairs = hn::BitCast(Shorts(), quads);
  return {hn::ShiftRight<8>(hn::ShiftLeft<8>(pairs)), hn::ShiftRight<8>(pairs)};
}
Inputs inputs_of(I quads) {
  const hn::RebindToUnsigned<Shorts> bits;
  const auto pairs = hn::BitCast(bits, quads);
  return {hn::BitCast(Shorts(), hn::And(pairs, hn::Set(bits, 0xff))),
          hn::BitCast(Shorts(), hn::ShiftRight<8>(pairs))};
}
/// Adds the products of two neighbours, on x86 to their own lane.
I add_products(I sum, Inputs x, Weights w) {
  I none = hn::Zero(Ints());
  sum = hn::ReorderWidenMulAccumulate(Ints(), x.even, w.even, sum, none);
  return hn::ReorderWidenMulAccumulate(Ints(), x.odd, w.odd, sum, none);
}
#endif

/// Multiplies kRows rows by two vectors of outputs, the first of them `output` of the panel.
template <class Row, int kRows>
void multiply_tile(const GroupedRows& in, std::int64_t row, const GroupPanels& weight,
                   std::int64_t panel, std::int64_t output, typename Row::Stored* y) {
  const Floats d;
  const Ints ints;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t quads = weight.group_size / kQuad, groups = weight.groups();
  const std::uint8_t* x = in.codes + row * weight.inputs;
  const std::int8_t* codes = weight.codes + panel * weight.inputs * kPanel + output * kQuad;
  const std::int64_t first = panel * groups * kPanel + output;
  V values[kRows][2];
  for (auto& value : values) value[0] = value[1] = hn::Zero(d);
  for (std::int64_t group = 0; group < groups; ++group) {
    const std::int64_t at = first + group * kPanel;
    I sums[kRows][2];
    for (auto& sum : sums) {
      sum[0] = hn::LoadU(ints, weight.offset + at);
      sum[1] = hn::LoadU(ints, weight.offset + at + lanes);
    }
    for (std::int64_t quad = 0; quad < quads; ++quad, codes += kPanel * kQuad, x += kQuad) {
      const Weights left = weights_of(load_quads(codes)),
                    right = weights_of(load_quads(codes + lanes * kQuad));
      for (int r = 0; r < kRows; ++r) {
        const Inputs inputs = inputs_of(same_quads(x + r * weight.inputs));
        sums[r][0] = add_products(sums[r][0], inputs, left);
        sums[r][1] = add_products(sums[r][1], inputs, right);
      }
    }
    const V scale[2] = {hn::LoadU(d, weight.scale + at), hn::LoadU(d, weight.scale + at + lanes)};
    for (int r = 0; r < kRows; ++r) {
      const V of_row = hn::Set(d, input_scale(in, row + r));
      for (int half = 0; half < 2; ++half) {
        const V product = hn::Mul(hn::ConvertTo(d, sums[r][half]), hn::Mul(of_row, scale[half]));
        values[r][half] = hn::Add(values[r][half], product);
      }
    }
  }
  const std::int64_t column = panel * kPanel + output;
  for (int r = 0; r < kRows; ++r) {
    for (int half = 0; half < 2; ++half) {
      const std::int64_t begin = column + half * lanes;
      if (begin >= weight.outputs) break;
      V value = values[r][half];
      if (in.bias) value = hn::Add(value, load<Float32Row>(d, in.bias, begin, weight.outputs));
      store<Row>(value, y + (row + r) * weight.outputs, begin, weight.outputs);
    }
  }
}

template <class Row, int kRows>
void multiply_rows(const GroupedRows& in, std::int64_t row, const GroupPanels& weight,
                   std::int64_t panel, typename Row::Stored* y) {
  const auto step = 2 * static_cast<std::int64_t>(hn::Lanes(Floats()));
  for (std::int64_t output = 0; output < kPanel; output += step)
    multiply_tile<Row, kRows>(in, row, weight, panel, output, y);
}

/// Multiplies as many rows as are left, at most kRows.
template <class Row, int kRows>
void multiply_last(const GroupedRows& in, std::int64_t row, const GroupPanels& weight,
                   std::int64_t panel, typename Row::Stored* y) {
  if constexpr (kRows > 0) {
    if (in.rows - row < kRows) return multiply_last<Row, kRows - 1>(in, row, weight, panel, y);
    multiply_rows<Row, kRows>(in, row, weight, panel, y);
  }
}

template <class Row>
void multiply_panel(const GroupedRows& in, const GroupPanels& weight, std::int64_t panel,
                    void* y_out) {
  auto* y = static_cast<typename Row::Stored*>(y_out);
  std::int64_t row = 0;
  for (; row + kMostRows <= in.rows; row += kMostRows)
    multiply_rows<Row, kMostRows>(in, row, weight, panel, y);
  multiply_last<Row, kMostRows - 1>(in, row, weight, panel, y);
}

#else
constexpr bool kHasVectors = false;

template <class Row>
void multiply_panel(const GroupedRows& in, const GroupPanels& weight, std::int64_t panel,
                    void* y_out) {
  auto* y = static_cast<typename Row::Stored*>(y_out);
  const std::int64_t begin = panel * kPanel, end = std::min(begin + kPanel, weight.outputs);
  const std::int8_t* codes = weight.codes + begin * weight.inputs;
  for (std::int64_t row = 0; row < in.rows; ++row) {
    const std::uint8_t* x = in.codes + row * weight.inputs;
    for (std::int64_t output = begin; output < end; ++output) {
      float value = 0.0f;
      for (std::int64_t group = 0; group < weight.groups(); ++group) {
        const std::int64_t at = (panel * weight.groups() + group) * kPanel + output - begin;
        std::int32_t sum = weight.offset[at];
        for (std::int64_t i = group * weight.group_size; i < (group + 1) * weight.group_size; ++i)
          sum += x[i] * codes[((i / kQuad) * kPanel + output - begin) * kQuad + i % kQuad];
        value += scaled_sum(sum, input_scale(in, row), weight.scale[at]);
      }
      if (in.bias) value += in.bias[output];
      store<Row>(hn::Set(Floats(), value), y + row * weight.outputs, output, output + 1);
    }
  }
}
#endif

template <class Row>
void multiply_panels(const GroupedRows& in, const GroupPanels& weight, std::int64_t begin,
                     std::int64_t end, void* y) {
  for (std::int64_t panel = begin; panel < end; ++panel) multiply_panel<Row>(in, weight, panel, y);
}

void grouped_product(const GroupedRows& in, const GroupPanels& weight, std::int64_t begin,
                     std::int64_t end, data::Element element, void* y) {
  visit_rows(element, [&](auto row) { multiply_panels<decltype(row)>(in, weight, begin, end, y); });
}

bool has_vectors() { return kHasVectors; }

}  // namespace
}  // namespace dualpath::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dualpath::quant {
namespace {

HWY_EXPORT(grouped_product);
HWY_EXPORT(has_vectors);

/// Puts one output's codes into a panel. place: of its first quad.
void write_output(const std::int8_t* codes, std::int64_t inputs, std::int8_t* place) {
  for (std::int64_t i = 0; i < inputs; i += kQuad)
    std::memcpy(place + i * kPanel, codes + i, static_cast<std::size_t>(kQuad));
}

std::int32_t offset_of(const std::int8_t* codes, std::int64_t n) {
  std::int32_t sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += codes[i];
  return -kUnsignedShift * sum;
}

}  // namespace

void prepare_groups_cpu(const std::int8_t* codes, const float* scale, std::int64_t begin,
                        std::int64_t end, const GroupPanels& prepared) {
  const std::int64_t inputs = prepared.inputs, size = prepared.group_size,
                     groups = prepared.groups();
  for (std::int64_t panel = begin; panel < end; ++panel) {
    std::int8_t* const to = prepared.codes + panel * kPanel * inputs;
    const std::int64_t sides = panel * kPanel * groups;
    std::fill_n(to, kPanel * inputs, std::int8_t{0});
    std::fill_n(prepared.scale + sides, kPanel * groups, 0.0f);
    std::fill_n(prepared.offset + sides, kPanel * groups, 0);
    const std::int64_t outputs = std::min(kPanel, prepared.outputs - panel * kPanel);
    for (std::int64_t output = 0; output < outputs; ++output) {
      const std::int64_t row = panel * kPanel + output;
      write_output(codes + row * inputs, inputs, to + output * kQuad);
      for (std::int64_t group = 0; group < groups; ++group) {
        const std::int64_t at = sides + group * kPanel + output;
        prepared.scale[at] = scale[row * groups + group];
        prepared.offset[at] = offset_of(codes + row * inputs + group * size, size);
      }
    }
  }
}

void grouped_product_cpu(const GroupedRows& in, const GroupPanels& weight, std::int64_t begin,
                         std::int64_t end, data::Element element, void* y) {
  HWY_DYNAMIC_DISPATCH(grouped_product)(in, weight, begin, end, element, y);
}

bool has_grouped_product() { return HWY_DYNAMIC_DISPATCH(has_vectors)(); }

}  // namespace dualpath::quant
#endif
