#include "quant/integer_linear.h"

#include <torch/utils.h>

#include "quant/arithmetic.h"
#include "quant/integer_sums.h"
#include "tests/support/catch.h"
#include "tests/support/device.h"

using namespace dualpath::quant;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

QuantizedWeight weight_of(const Tensor& codes, bool with_bias) {
  const std::int64_t rows = codes.size(0);
  return {codes, torch::rand(rows) * 1e-3 + 1e-5, with_bias ? torch::randn(rows) : Tensor(), {}};
}

Tensor unsigned_codes(const Tensor& codes) {
  return (codes.to(at::kInt) + kUnsignedShift).to(at::kByte);
}

QuantizedWeight on(at::Device device, const QuantizedWeight& weight) {
  return {weight.codes.to(device),
          weight.scale.to(device),
          weight.bias.defined() ? weight.bias.to(device) : Tensor(),
          {}};
}

/// Each device's kernel against plain sums, scaled by the law: with one scale for all of the input,
/// and with one a row.
void check_product(const Tensor& codes, const QuantizedWeight& made, at::ScalarType dtype) {
  constexpr float kScale = 0.0371f;
  const Tensor scales = torch::rand(codes.size(0)) * 0.05f + 1e-4f;
  const Tensor sums = codes.to(at::kDouble).matmul(made.codes.to(at::kDouble).t()).to(at::kInt);
  const Tensor expected = scale_sums(sums, kScale, made.scale, made.bias, dtype),
               by_row = scale_sums(sums, scales, made.scale, made.bias, dtype);
  for (const at::Device device : devices()) {
    INFO(integer_kernel() << " on " << device << ": " << codes.sizes() << " times "
                          << made.codes.sizes() << ", " << dtype);
    QuantizedWeight weight = on(device, made);
    const auto check = [&](const Tensor& input) {
      CHECK(integer_linear(input, kScale, weight, dtype).cpu().equal(expected));
      CHECK(integer_linear(input, scales.to(device), weight, dtype).cpu().equal(by_row));
    };
    check(codes.to(device));
    pack(weight);
    const Tensor input = takes_unsigned(weight) ? unsigned_codes(codes) : codes.to(device);
    check(input);
    for (const int shift : {1, 2, 3}) {  // packed again: as the library does it, then in place
      weight.codes = made.codes.roll(shift).to(device);
      pack(weight);
    }
    weight.codes = made.codes.to(device);
    pack(weight);
    check(input);
  }
}

}  // namespace

TEST_CASE("integer products of random codes are the scaled int32 sums, to the bit",
          "[quant][integer][cuda]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const bool with_bias = GENERATE(false, true);
  torch::manual_seed(11);
  const auto [m, k, n] =
      GENERATE(table<std::int64_t, std::int64_t, std::int64_t>({{1, 1, 1},
                                                                {4, 1, 3},
                                                                {1, 2, 5},
                                                                {7, 64, 3},
                                                                {33, 100, 50},
                                                                {1, 576, 1536},
                                                                {130, 576, 192},
                                                                {64, 1536, 576},
                                                                {3, 16384, 16}}));
  check_product(torch::randint(-128, 128, {m, k}, at::kChar),
                weight_of(torch::randint(-127, 128, {n, k}, at::kChar), with_bias), dtype);
}

TEST_CASE("integer products of codes at their ends are exact", "[quant][integer][cuda]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16);
  const auto [left, right] =
      GENERATE(table<int, int>({{-128, -127}, {-128, 127}, {127, 127}, {127, -127}}));
  for (const std::int64_t k : {7, 1024, 1536, 16384}) {
    check_product(torch::full({17, k}, left, at::kChar),
                  weight_of(torch::full({16, k}, right, at::kChar), true), dtype);
  }
}
