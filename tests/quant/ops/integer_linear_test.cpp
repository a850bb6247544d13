// Must precede Highway: targets of the kernel that uses VNNI.
#define HWY_WANT_AVX3_DL

#include "quant/ops/integer_linear.h"

#include <torch/utils.h>

#include "quant/arithmetic.h"
#include "quant/ops/integer_sums.h"
#include "tests/quant/hand_made.h"
#include "tests/support/catch.h"
#include "tests/support/device.h"
#include "tests/support/vector_target.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

/// A weight, a bias or none, and a fast kind of product for them.
struct Weight {
  GridWeight grid;
  Tensor bias;

  std::int64_t group_size() const {
    return grid.scale.dim() == 2 ? grid.codes.size(1) / grid.scale.size(1) : 0;
  }
  WeightKind fastest() const { return fastest_kind(grid.codes.device(), group_size()); }
  Weight on(at::Device device) const {
    return {{.codes = grid.codes.to(device), .scale = grid.scale.to(device)},
            bias.defined() ? bias.to(device) : Tensor()};
  }
};

Weight integer_weight(const Tensor& codes, bool with_bias) {
  const std::int64_t rows = codes.size(0);
  return {{.codes = codes, .scale = torch::rand(rows) * 1e-3 + 1e-5},
          with_bias ? torch::randn(rows) : Tensor()};
}

/// A weight by group: scales for `groups` of a row.
Weight grouped_weight(const Tensor& codes, std::int64_t groups, bool with_bias) {
  Weight weight = integer_weight(codes, with_bias);
  weight.grid.scale = torch::rand({codes.size(0), groups}) * 1e-3 + 1e-5;
  return weight;
}

/// The law's own loop: int32 sums of a group's codes, each times its scales, added in order.
Tensor plain_groups(const Tensor& codes, const Tensor& input_scale, const Weight& weight,
                    at::ScalarType dtype) {
  const std::int64_t rows = codes.size(0), outputs = weight.grid.codes.size(0),
                     groups = weight.grid.scale.size(1), size = codes.size(1) / groups;
  const Tensor result = torch::empty({rows, outputs});
  const auto x = codes.accessor<std::int8_t, 2>(), w = weight.grid.codes.accessor<std::int8_t, 2>();
  const auto scale = weight.grid.scale.accessor<float, 2>();
  for (std::int64_t row = 0; row < rows; ++row) {
    const float of_row = input_scale[input_scale.numel() == 1 ? 0 : row].item<float>();
    for (std::int64_t output = 0; output < outputs; ++output) {
      float value = 0.0f;
      for (std::int64_t group = 0; group < groups; ++group) {
        std::int32_t sum = 0;
        for (std::int64_t i = group * size; i < (group + 1) * size; ++i)
          sum += x[row][i] * w[output][i];
        value += scaled_sum(sum, of_row, scale[output][group]);
      }
      if (weight.bias.defined()) value += weight.bias[output].item<float>();
      result[row][output] = value;
    }
  }
  return result.to(dtype);
}

Tensor unsigned_codes(const Tensor& codes) {
  return (codes.to(at::kInt) + kUnsignedShift).to(at::kByte);
}

/// Codes of the input for a kind of product, from int8 codes on its device.
Tensor shown_to(WeightKind kind, const Tensor& codes) {
  return takes_unsigned(kind) ? unsigned_codes(codes) : codes;
}

/// Compares each device's kernel with plain sums, scaled by the law: with one scale for all of the
/// input, and with one a row.
void check_product(const Tensor& codes, const Weight& plain, at::ScalarType dtype) {
  constexpr float kScale = 0.0371f;
  const Tensor scales = torch::rand(codes.size(0)) * 0.05f + 1e-4f;
  const Tensor sums =
      codes.to(at::kDouble).matmul(plain.grid.codes.to(at::kDouble).t()).to(at::kInt);
  const Tensor expected = scale_sums(sums, kScale, plain.grid.scale, plain.bias, dtype),
               by_row = scale_sums(sums, scales, plain.grid.scale, plain.bias, dtype);
  for (const at::Device device : devices()) {
    INFO(integer_kernel() << " on " << device << ": " << codes.sizes() << " times "
                          << plain.grid.codes.sizes() << ", " << dtype);
    const auto [grid, bias] = plain.on(device);
    const WeightKind kind = plain.on(device).fastest();
    const auto check = [&](const PreparedWeight& weight) {
      const Tensor input = shown_to(weight.kind, codes.to(device));
      CHECK(integer_linear(input, kScale, weight, bias, dtype).cpu().equal(expected));
      CHECK(integer_linear(input, scales.to(device), weight, bias, dtype).cpu().equal(by_row));
    };
    check(prepare(grid, WeightKind::kCodes));
    PreparedWeight weight = prepare(grid, kind);
    check(weight);
    for (const int shift : {1, 2, 3}) {  // again: first by the library's way, then in place
      const GridWeight other{.codes = grid.codes.roll(shift), .scale = grid.scale};
      weight = prepare(other, kind, std::move(weight));
    }
    check(prepare(grid, kind, std::move(weight)));
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
                integer_weight(torch::randint(-127, 128, {n, k}, at::kChar), with_bias), dtype);
}

TEST_CASE("integer products of codes at their ends are exact", "[quant][integer][cuda]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16);
  const auto [left, right] =
      GENERATE(table<int, int>({{-128, -127}, {-128, 127}, {127, 127}, {127, -127}}));
  for (const std::int64_t k : {7, 1024, 1536, 16384}) {
    check_product(torch::full({17, k}, left, at::kChar),
                  integer_weight(torch::full({16, k}, right, at::kChar), true), dtype);
  }
}

TEST_CASE("integer products by group are plain loops over int32 sums, to the bit",
          "[quant][integer][cuda]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const bool with_bias = GENERATE(false, true);
  const auto [m, k, n, size] =
      GENERATE(table<std::int64_t, std::int64_t, std::int64_t, std::int64_t>({{1, 4, 1, 4},
                                                                              {5, 64, 33, 32},
                                                                              {7, 96, 64, 32},
                                                                              {13, 256, 70, 64},
                                                                              {200, 128, 31, 128},
                                                                              {3, 12, 5, 6}}));
  torch::manual_seed(12);
  const Tensor codes = torch::randint(-128, 128, {m, k}, at::kChar);
  const Weight plain =
      grouped_weight(torch::randint(-127, 128, {n, k}, at::kChar), k / size, with_bias);
  const Tensor one = torch::tensor({0.0371f}), each = torch::rand(m) * 0.05f + 1e-4f;
  const Tensor expected = plain_groups(codes, one, plain, dtype),
               by_row = plain_groups(codes, each, plain, dtype);
  for (const at::Device device : devices()) {
    INFO(device << ": " << codes.sizes() << " times " << plain.grid.codes.sizes() << " by "
                << size);
    const auto [grid, bias] = plain.on(device);
    const WeightKind kind = plain.on(device).fastest();
    const auto check = [&](const PreparedWeight& weight) {
      const Tensor input = shown_to(weight.kind, codes.to(device));
      CHECK(integer_linear(input, 0.0371f, weight, bias, dtype).cpu().equal(expected));
      CHECK(integer_linear(input, each.to(device), weight, bias, dtype).cpu().equal(by_row));
    };
    check(prepare(grid, WeightKind::kCodes));
    const GridWeight other{.codes = grid.codes.roll(1), .scale = grid.scale};
    check(prepare(grid, kind, prepare(other, kind)));  // in place of the other's
  }
}

TEST_CASE("integer products by group are the same on all vectors", "[quant][integer]") {
  torch::manual_seed(13);
  const Tensor codes = torch::randint(-128, 128, {9, 192}, at::kChar);
  for (const int end : {-127, 127, 0}) {
    const Weight weight = grouped_weight(end != 0 ? torch::full({50, 192}, end, at::kChar)
                                                  : torch::randint(-127, 128, {50, 192}, at::kChar),
                                         3, true);
    const Tensor input = end != 0 ? torch::full_like(codes, end > 0 ? -128 : 127) : codes;
    const Tensor expected = plain_groups(input, torch::tensor({0.01f}), weight, at::kBFloat16);
    for (const std::int64_t target : vector_targets()) {
      const VectorTarget forced(target);
      INFO(forced.name << ", codes " << end);
      const PreparedWeight prepared = prepare(weight.grid, weight.fastest());
      const Tensor shown = shown_to(prepared.kind, input);
      CHECK(integer_linear(shown, 0.01f, prepared, weight.bias, at::kBFloat16).equal(expected));
    }
  }
}

TEST_CASE(
    "integer products of an asymmetric weight are those of its codes less what the zero point "
    "takes from them",
    "[quant][integer]") {
  const bool grouped = GENERATE(false, true);
  const int num_bits = GENERATE(3, 4, 6);
  torch::manual_seed(14);
  const QuantArgs args = weights_of(num_bits, grouped ? Strategy::kGroup : Strategy::kChannel,
                                    grouped ? 32 : 0, false);
  const GridWeight weight = quantize_weight(torch::randn({7, 96}) + 0.4f, "w", args);
  const Tensor codes = torch::randint(-128, 128, {11, 96}, at::kChar);
  const std::int64_t groups = grouped ? 3 : 1;
  const auto by_groups = [&](const Tensor& all) {
    return all.to(at::kLong).view({all.size(0), groups, -1});
  };
  const Tensor zero_point = weight.zero_point.view({7, groups}).to(at::kLong);
  const Tensor stored = by_groups(weight.codes) + zero_point.unsqueeze(2), x = by_groups(codes);
  CHECK(stored.min().item<std::int64_t>() >= -(1 << (num_bits - 1)));
  CHECK(stored.max().item<std::int64_t>() <= qmax_of(num_bits));
  Tensor expected = torch::zeros({11, 7});
  for (std::int64_t group = 0; group < groups; ++group) {
    const Tensor of_codes = x.select(1, group).matmul(stored.select(1, group).t());
    const Tensor of_zero = x.select(1, group).sum(1, true) * zero_point.select(1, group);
    const Tensor scale = weight.scale.view({7, groups}).select(1, group) * 0.02f;
    expected += (of_codes - of_zero).to(at::kFloat) * scale;
  }
  for (const WeightKind kind : {WeightKind::kCodes, fastest_kind(at::kCPU, args.group_size)}) {
    const Tensor input = shown_to(kind, codes);
    CHECK(integer_linear(input, 0.02f, prepare(weight, kind), /*bias=*/{}, at::kFloat)
              .equal(expected));
  }
}
