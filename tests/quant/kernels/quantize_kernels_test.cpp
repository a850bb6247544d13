// Compares the kernels, on every kind of vectors of this processor, with the scalar header.

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "quant/arithmetic.h"
#include "quant/kernels/dequantize.h"
#include "quant/kernels/mask_gradient.h"
#include "quant/kernels/quantize.h"
#include "quant/kernels/scale_gradient.h"
#include "tests/support/catch.h"
#include "tests/support/vector_target.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using data::BFloat16;
using data::Element;
using data::Float16;
using data::Float32;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <class Type>
constexpr Element kElement = Element::kFloat32;
template <>
constexpr Element kElement<BFloat16> = Element::kBFloat16;
template <>
constexpr Element kElement<Float16> = Element::kFloat16;

template <class Type>
using Values = std::vector<typename Type::Stored>;

/// A kernel's output, or the one it should have.
struct Result {
  std::vector<std::int8_t> codes;
  std::vector<std::uint8_t> bits;
  std::vector<float> scale;
  std::int64_t non_finite = 0;

  bool operator==(const Result&) const = default;
};

/// Runs the scalar header, an element at a time.
template <class Type>
Result lawful(const typename Type::Stored* x, std::size_t n, Grid grid) {
  Result law{std::vector<std::int8_t>(n), std::vector<std::uint8_t>((n + 7) / 8), {}, 0};
  for (std::size_t i = 0; i < n; ++i) {
    const float stored = Type::load(x[i]), value = std::isfinite(stored) ? stored : 0.0f;
    law.codes[i] = static_cast<std::int8_t>(quant::quantize(value, grid));
    law.bits[i / 8] |= static_cast<std::uint8_t>(in_range(level(value, grid), grid) << i % 8);
    law.non_finite += !std::isfinite(stored);
  }
  return law;
}

template <class Type>
Result by_kernel(const typename Type::Stored* x, std::size_t n, Grid grid) {
  Result result{std::vector<std::int8_t>(n), std::vector<std::uint8_t>((n + 7) / 8, 0xff), {}, 0};
  result.non_finite = quantize_cpu(kElement<Type>, x, static_cast<std::int64_t>(n), grid,
                                   result.codes.data(), result.bits.data());
  return result;
}

/// Runs the scalar header, a row at a time.
template <class Type>
Result lawful_rows(const Values<Type>& x, std::size_t rows, Grid like) {
  const std::size_t width = x.size() / rows;
  Result law;
  for (std::size_t row = 0; row < rows; ++row) {
    const auto* from = x.data() + row * width;
    float absmax = 0.0f;
    for (std::size_t i = 0; i < width; ++i) {
      const float magnitude = std::fabs(Type::load(from[i]));
      if (std::isfinite(magnitude)) absmax = std::max(absmax, magnitude);
    }
    like.scale = symmetric_scale(absmax, like.qmax - like.zero_point);
    const Result one = lawful<Type>(from, width, like);
    law.codes.insert(law.codes.end(), one.codes.begin(), one.codes.end());
    law.scale.push_back(like.scale);
    law.non_finite += one.non_finite;
  }
  return law;
}

template <class Type>
Result rows_by_kernel(const Values<Type>& x, std::size_t rows, Grid like) {
  Result result{std::vector<std::int8_t>(x.size()), {}, std::vector<float>(rows), 0};
  result.non_finite = quantize_rows_cpu(kElement<Type>, x.data(), static_cast<std::int64_t>(rows),
                                        static_cast<std::int64_t>(x.size() / rows), like,
                                        result.codes.data(), result.scale.data());
  return result;
}

/// Every bit pattern of a 16-bit type, by magnitude. Values that are not finite come last.
std::vector<std::uint16_t> every_pattern() {
  std::vector<std::uint16_t> patterns;
  for (unsigned magnitude = 0; magnitude < 0x8000u; ++magnitude) {
    patterns.push_back(static_cast<std::uint16_t>(magnitude));
    patterns.push_back(static_cast<std::uint16_t>(magnitude | 0x8000u));
  }
  return patterns;
}

/// Scales of any size; powers of two and small odd numbers, which make many values ties; quotients
/// of a value and a tie, which bring that value closest to one; significands whose reciprocal
/// rounds badly; and the ends of float32.
template <class Type>
std::vector<float> many_scales(std::mt19937& random) {
  std::vector<float> scales{0x1p-149f, 1e-40f, 0x1p-126f, 0x1p-64f, 0x1p64f, 1e30f, 3e38f};
  for (int exponent = -24; exponent <= 16; exponent += 4)
    for (const float odd : {1.0f, 3.0f, 5.0f, 127.0f}) scales.push_back(std::ldexp(odd, exponent));
  for (const std::uint32_t bits : {0x3fd0ab43u, 0x3ff92863u, 0x3fd6edffu, 0x3fff3c33u, 0x3fffffffu})
    scales.push_back(std::bit_cast<float>(bits));
  std::uniform_real_distribution<float> exponent(-30.0f, 20.0f);
  for (int i = 0; i < 100; ++i) scales.push_back(std::exp2(exponent(random)));
  for (int i = 0; i < 100; ++i) {
    const float value = Type::load(static_cast<std::uint16_t>(0x2000u + random() % 0x4000u));
    scales.push_back(value / (static_cast<float>(random() % 128) + 0.5f));
  }
  return scales;
}

/// Quantizes values on both sides of a limit apart: one value too large for lanes sends its
/// neighbours by the plain loops, too.
template <class Type>
void check_patterns(const std::vector<std::uint16_t>& patterns, Grid grid, const Result& law) {
  const auto too_large = [&](std::uint16_t x) { return !(Type::load(x) <= 16384.0f * grid.scale); };
  const auto border = std::find_if(patterns.begin(), patterns.end(), too_large);
  const std::size_t served = static_cast<std::size_t>(border - patterns.begin()) / 8 * 8;
  Result result = by_kernel<Type>(patterns.data(), served, grid);
  const Result rest = by_kernel<Type>(patterns.data() + served, patterns.size() - served, grid);
  result.codes.insert(result.codes.end(), rest.codes.begin(), rest.codes.end());
  result.bits.insert(result.bits.end(), rest.bits.begin(), rest.bits.end());
  result.non_finite += rest.non_finite;
  CHECK(result == law);
}

template <class Type>
void check_every_pattern() {
  std::mt19937 random(1);
  const std::vector<std::uint16_t> patterns = every_pattern();
  const std::vector<float> scales = many_scales<Type>(random);
  REQUIRE(scales.size() > 200);
  for (std::size_t s = 0; s < scales.size(); ++s) {
    const float scale = scales[s];
    std::vector<Grid> grids{activation_grid(scale), unsigned_activation_grid(scale)};
    if (s % 8 == 0)
      grids.insert(grids.end(), {weight_grid(scale, 7), Grid{scale, 3, 0, 15},
                                 activation_grid(scale, 4), unsigned_activation_grid(scale, 4)});
    for (const Grid grid : grids) {
      const Result law = lawful<Type>(patterns.data(), patterns.size(), grid);
      for (const std::int64_t target : vector_targets()) {
        const VectorTarget forced(target);
        INFO(forced.name << ", scale " << scale << ", qmin " << grid.qmin);
        check_patterns<Type>(patterns, grid, law);
      }
    }
  }
}

/// Levels of -140 to 140, many of them ties or the floats beside them.
std::vector<float> near_ties(float scale, std::size_t n, std::mt19937& random) {
  std::uniform_real_distribution<float> level(-140.0f, 140.0f);
  std::vector<float> x(n);
  for (std::size_t i = 0; i < n; ++i) {
    const float tie = std::floor(level(random)) + 0.5f;
    x[i] = i % 2 == 0 ? level(random) * scale : tie * scale;
    if (i % 3 == 0) x[i] = std::nextafter(x[i], random() % 2 == 0 ? kInfinity : -kInfinity);
  }
  return x;
}

/// Rows of every kind: usual, zero, so small that the scale underflows, as large as can be, one
/// large value among small ones, and not finite.
template <class Type>
Values<Type> strange_rows(std::size_t rows, std::size_t width, std::mt19937& random) {
  std::normal_distribution<float> normal;
  Values<Type> x(rows * width);
  for (std::size_t row = 0; row < rows; ++row) {
    const auto kind = row % 6;
    for (std::size_t i = 0; i < width; ++i) {
      float value = normal(random);
      if (kind == 1) value = 0.0f;
      if (kind == 2) value *= 1e-44f;
      if (kind == 3) value = std::copysign(std::is_same_v<Type, Float16> ? 65504.0f : 3e38f, value);
      if (kind == 4 && i == width / 2) value = 3000.0f;
      if (kind == 5 && i % 3 == 0) value = i % 2 == 0 ? kInfinity : -std::nanf("");
      x[row * width + i] = Type::store(value);
    }
  }
  return x;
}

template <class Type>
void check_rows() {
  std::mt19937 random(2);
  for (const std::size_t width : {1, 5, 31, 32, 33, 64, 100, 128, 577}) {
    for (const std::size_t rows : {1, 2, 3, 13}) {
      const Values<Type> x = strange_rows<Type>(rows, width, random);
      for (const Grid like :
           {activation_grid(1.0f), unsigned_activation_grid(1.0f), weight_grid(1.0f),
            weight_grid(1.0f, qmax_of(4)), activation_grid(1.0f, 4),
            unsigned_activation_grid(1.0f, 4), Grid{1.0f, 3, 0, 6}}) {
        const Result law = lawful_rows<Type>(x, rows, like);
        for (const std::int64_t target : vector_targets()) {
          const VectorTarget forced(target);
          INFO(forced.name << ", " << rows << " rows of " << width << ", qmax " << like.qmax);
          CHECK(rows_by_kernel<Type>(x, rows, like) == law);
        }
      }
    }
  }
}

/// The asymmetric kernel's output, or the one it should have. Codes have their zero point added.
struct Asymmetric {
  std::vector<int> codes, zero_point;
  std::vector<float> scale;
  std::int64_t non_finite = 0;

  bool operator==(const Asymmetric&) const = default;
};

/// Runs the scalar header, a row at a time.
template <class Type>
Asymmetric lawful_asymmetric(const Values<Type>& x, std::size_t rows, int num_bits) {
  const std::size_t width = x.size() / rows;
  Asymmetric law;
  for (std::size_t row = 0; row < rows; ++row) {
    std::vector<float> values(width);
    for (std::size_t i = 0; i < width; ++i) {
      const float stored = Type::load(x[row * width + i]);
      values[i] = std::isfinite(stored) ? stored : 0.0f;
      law.non_finite += !std::isfinite(stored);
    }
    const auto [min, max] = std::minmax_element(values.begin(), values.end());
    const Grid grid = asymmetric_grid(std::min(*min, 0.0f), std::max(*max, 0.0f), num_bits);
    for (const float value : values) law.codes.push_back(quant::quantize(value, grid));
    law.zero_point.push_back(grid.zero_point);
    law.scale.push_back(grid.scale);
  }
  return law;
}

template <class Type>
Asymmetric asymmetric_by_kernel(const Values<Type>& x, std::size_t rows, int num_bits) {
  const std::size_t width = x.size() / rows;
  std::vector<std::int8_t> codes(x.size()), zero_point(rows);
  Asymmetric result{{}, {}, std::vector<float>(rows), 0};
  result.non_finite = quantize_asymmetric_rows_cpu(
      kElement<Type>, x.data(), static_cast<std::int64_t>(rows), static_cast<std::int64_t>(width),
      num_bits, codes.data(), result.scale.data(), zero_point.data());
  result.zero_point.assign(zero_point.begin(), zero_point.end());
  for (std::size_t i = 0; i < x.size(); ++i)
    result.codes.push_back(codes[i] + zero_point[i / width]);
  return result;
}

template <class Type>
void check_asymmetric_rows() {
  std::mt19937 random(6);
  for (const std::size_t width : {1, 5, 32, 33, 128, 577}) {
    const Values<Type> x = strange_rows<Type>(13, width, random);
    for (const int num_bits : {3, 4, 6, 7}) {
      const Asymmetric law = lawful_asymmetric<Type>(x, 13, num_bits);
      for (const std::int64_t target : vector_targets()) {
        const VectorTarget forced(target);
        INFO(forced.name << ", rows of " << width << ", " << num_bits << " bits");
        CHECK(asymmetric_by_kernel<Type>(x, 13, num_bits) == law);
      }
    }
  }
}

template <class Type>
void check_mask_gradient() {
  std::mt19937 random(3);
  for (std::size_t n = 1; n < 150; ++n) {
    Values<Type> grad(n), expected(n);
    std::vector<std::uint8_t> bits((n + 7) / 8);
    for (auto& byte : bits) byte = static_cast<std::uint8_t>(random());
    for (std::size_t i = 0; i < n; ++i) {
      grad[i] = Type::store(static_cast<float>(i) - 70.5f);
      expected[i] = bits[i / 8] >> i % 8 & 1 ? grad[i] : Type::store(0.0f);
    }
    for (const std::int64_t target : vector_targets()) {
      const VectorTarget forced(target);
      INFO(forced.name << ", " << n << " elements");
      Values<Type> y(n);
      const auto size = static_cast<std::int64_t>(n);
      mask_gradient_cpu(kElement<Type>, grad.data(), bits.data(), size, y.data());
      CHECK(y == expected);
      y = grad;
      mask_gradient_cpu(kElement<Type>, y.data(), bits.data(), size, y.data());
      CHECK(y == expected);
    }
  }
}

/// Checks two rows of every width, with their bits at every place in a byte.
template <class Type>
void check_scale_gradient() {
  constexpr std::int64_t kRows = 2;
  const std::vector<float> scale{0.37f, -3.0f};
  std::mt19937 random(4);
  for (std::int64_t width = 1; width < 75; ++width) {
    for (std::int64_t first = 0; first < 4 * width; first += width) {
      std::vector<std::uint8_t> bits(static_cast<std::size_t>((first + kRows * width + 7) / 8));
      for (auto& byte : bits) byte = static_cast<std::uint8_t>(random());
      Values<Type> grad, scaled, masked;
      for (std::int64_t i = 0; i < kRows * width; ++i) {
        grad.push_back(Type::store(static_cast<float>(i) - 70.5f));
        const float factor = scale[static_cast<std::size_t>(i / width)];
        scaled.push_back(Type::store(Type::load(grad.back()) * factor));
        const auto byte = static_cast<std::size_t>((first + i) / 8);
        masked.push_back(bits[byte] >> (first + i) % 8 & 1 ? scaled.back() : Type::store(0.0f));
      }
      for (const std::int64_t target : vector_targets()) {
        const VectorTarget forced(target);
        INFO(forced.name << ", width " << width << ", from element " << first);
        const auto run = [&](const std::uint8_t* in_range) {
          Values<Type> y = grad;
          scale_gradient_cpu(
              {kElement<Type>, y.data(), kRows, width, scale.data(), in_range, first});
          return y;
        };
        CHECK(run(nullptr) == scaled);
        CHECK(run(bits.data()) == masked);
      }
    }
  }
}

/// Checks scales that reach the type's subnormal numbers and its infinity.
template <class Type>
void check_dequantize(bool is_unsigned) {
  const std::vector<float> scales{1.0f, 0.0371f, 3e-5f, 1e-6f, 5e-8f, 700.0f, 3e36f, 1e-40f};
  std::vector<std::int8_t> codes;
  Values<Type> expected;
  for (const float scale : scales) {
    for (int code = -128; code <= 127; ++code) {
      codes.push_back(static_cast<std::int8_t>(is_unsigned ? code + kUnsignedShift : code));
      expected.push_back(Type::store(dequantize(code, activation_grid(scale))));
    }
  }
  const auto rows = static_cast<std::int64_t>(scales.size());
  for (const std::int64_t target : vector_targets()) {
    const VectorTarget forced(target);
    INFO(forced.name);
    Values<Type> y(codes.size());
    dequantize_cpu({codes.data(), is_unsigned, scales.data(), rows, 256}, kElement<Type>, y.data());
    CHECK(y == expected);
  }
}

}  // namespace

TEST_CASE("on all vectors, every bfloat16 pattern has the scalar header's code and range",
          "[quant][kernels]") {
  check_every_pattern<BFloat16>();
}

TEST_CASE("on all vectors, every float16 pattern has the scalar header's code and range",
          "[quant][kernels]") {
  check_every_pattern<Float16>();
}

TEST_CASE("on all vectors, a million float32 values on and near ties are the scalar header's",
          "[quant][kernels]") {
  std::mt19937 random(4);
  for (const float scale : {1.0f, 0.0371f, 3.1f, 0x1p-20f, 1.0f / 127, 7.77e-12f, 2.5e9f}) {
    const std::vector<float> x = near_ties(scale, 150'000, random);
    for (const Grid grid : {activation_grid(scale), unsigned_activation_grid(scale),
                            activation_grid(scale, 4), unsigned_activation_grid(scale, 4)}) {
      const Result law = lawful<Float32>(x.data(), x.size(), grid);
      for (const std::int64_t target : vector_targets()) {
        const VectorTarget forced(target);
        INFO(forced.name << ", scale " << scale << ", qmin " << grid.qmin);
        CHECK(by_kernel<Float32>(x.data(), x.size(), grid) == law);
      }
    }
  }
}

TEST_CASE("a span of any length is quantized to its end and no further", "[quant][kernels]") {
  std::mt19937 random(5);
  const float scale = 0.3f;
  const Grid grid = activation_grid(scale);
  for (std::size_t n = 1; n < 150; ++n) {
    const std::vector<float> x = near_ties(scale, n, random);
    Result law = lawful<Float32>(x.data(), n, grid);
    law.codes.push_back(99);
    law.bits.push_back(0xa5);
    for (const std::int64_t target : vector_targets()) {
      const VectorTarget forced(target);
      INFO(forced.name << ", " << n << " elements");
      std::vector<std::int8_t> codes(n + 1, 99);
      std::vector<std::uint8_t> bits((n + 7) / 8 + 1, 0xa5);
      quantize_cpu(Element::kFloat32, x.data(), static_cast<std::int64_t>(n), grid, codes.data(),
                   bits.data());
      CHECK(codes == law.codes);
      CHECK(bits == law.bits);
      std::fill(codes.begin(), codes.end() - 1, std::int8_t{0});
      quantize_cpu(Element::kFloat32, x.data(), static_cast<std::int64_t>(n), grid, codes.data(),
                   nullptr);
      CHECK(codes == law.codes);
    }
  }
}

TEST_CASE("each row has its own scale and the scalar header's codes", "[quant][kernels]") {
  check_rows<Float32>();
  check_rows<BFloat16>();
  check_rows<Float16>();
}

TEST_CASE("each row has its own asymmetric grid and the scalar header's codes",
          "[quant][kernels]") {
  check_asymmetric_rows<Float32>();
  check_asymmetric_rows<BFloat16>();
  check_asymmetric_rows<Float16>();
}

TEST_CASE("a gradient passes where its bit is set", "[quant][kernels]") {
  check_mask_gradient<Float32>();
  check_mask_gradient<BFloat16>();
  check_mask_gradient<Float16>();
}

TEST_CASE("a gradient is its row's scale times what it was, where its bit is set",
          "[quant][kernels]") {
  check_scale_gradient<Float32>();
  check_scale_gradient<BFloat16>();
  check_scale_gradient<Float16>();
}

TEST_CASE("a code times its row's scale is cast as everywhere", "[quant][kernels]") {
  const bool is_unsigned = GENERATE(false, true);
  check_dequantize<Float32>(is_unsigned);
  check_dequantize<BFloat16>(is_unsigned);
  check_dequantize<Float16>(is_unsigned);
}
