#include "quant/ops/integer_sums.h"

#include <torch/utils.h>

#include <limits>

#include "quant/arithmetic.h"
#include "tests/support/catch.h"
#include "tests/support/device.h"

using namespace dualpath::quant;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

/// The exact sums of a's rows times b's rows, in int64.
Tensor plain_sums(const Tensor& a, const Tensor& b) {
  const Tensor sums = torch::empty({a.size(0), b.size(0)}, at::kLong);
  for (std::int64_t m = 0; m < a.size(0); ++m) {
    for (std::int64_t n = 0; n < b.size(0); ++n) {
      const auto* left = a.const_data_ptr<std::int8_t>() + m * a.size(1);
      const auto* right = b.const_data_ptr<std::int8_t>() + n * b.size(1);
      std::int64_t sum = 0;
      for (std::int64_t k = 0; k < a.size(1); ++k) sum += std::int64_t{left[k]} * right[k];
      sums.mutable_data_ptr<std::int64_t>()[m * b.size(0) + n] = sum;
    }
  }
  return sums;
}

Tensor random_codes(std::int64_t rows, std::int64_t columns) {
  return torch::randint(-128, 128, {rows, columns}, at::kChar);
}

/// Checks both routes on each device.
void check_sums(const Tensor& a, const Tensor& b) {
  INFO("[" << a.size(0) << ", " << a.size(1) << "] times [" << b.size(0) << ", " << b.size(1)
           << "]");
  const Tensor expected = plain_sums(a, b).to(at::kInt);
  for (const at::Device device : devices()) {
    const Tensor left = a.to(device), right = b.to(device);
    CHECK(integer_sums(left, right).cpu().equal(expected));
    CHECK(integer_sums_in_chunks(left, right).cpu().equal(expected));
    CHECK(integer_sums(left, pad_for_sums(right)).narrow(1, 0, b.size(0)).cpu().equal(expected));
  }
}

/// Scales by the scalar header, then casts once. input_scale: one a row.
Tensor plain_scaled(const Tensor& sums, const Tensor& input_scale, const Tensor& weight_scale,
                    const Tensor& bias, at::ScalarType dtype) {
  const Tensor y = torch::empty(sums.sizes(), at::kFloat);
  for (std::int64_t i = 0; i < sums.numel(); ++i) {
    const std::int64_t r = i / sums.size(1), c = i % sums.size(1);
    const float value =
        scaled_sum(sums.const_data_ptr<std::int32_t>()[i], input_scale.const_data_ptr<float>()[r],
                   weight_scale.const_data_ptr<float>()[c]);
    y.mutable_data_ptr<float>()[i] =
        bias.defined() ? value + bias.const_data_ptr<float>()[c] : value;
  }
  return y.to(dtype);
}

Tensor large_sums(std::int64_t rows, std::int64_t columns) {
  constexpr std::int32_t kLargest = std::numeric_limits<std::int32_t>::max();
  return torch::randint(-std::int64_t{kLargest}, kLargest, {rows, columns}, at::kInt);
}

}  // namespace

TEST_CASE("integer sums of random codes are those of a plain loop", "[quant][kernels][cuda]") {
  torch::manual_seed(6);
  for (const std::int64_t k : {1, 3, 64, 576, 1023, 1024, 1025, 4096, 16384}) {
    check_sums(random_codes(5, k), random_codes(7, k));
  }
  for (const std::int64_t k : {1, 2, 576}) {
    check_sums(random_codes(1, k), random_codes(1, k));
    check_sums(random_codes(1, k), random_codes(7, k));
    check_sums(random_codes(5, k), random_codes(1, k));
  }
  check_sums(random_codes(130, 576), random_codes(96, 576));
}

TEST_CASE("integer sums of codes at their ends are exact", "[quant][kernels][cuda]") {
  const auto [left, right] = GENERATE(table<int, int>(
      {{-128, -127}, {-128, 127}, {127, 127}, {127, -127}, {-128, -128}, {127, -128}}));
  for (const std::int64_t k : {7, 1024, 1536, 16384}) {
    check_sums(torch::full({17, k}, left, at::kChar), torch::full({16, k}, right, at::kChar));
  }
}

TEST_CASE("scaled sums are the scalar header's to the bit", "[quant][kernels][cuda]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const bool with_bias = GENERATE(false, true);
  const at::Device device = GENERATE(from_range(devices()));
  torch::manual_seed(7);
  const Tensor sums = large_sums(37, 67), weight_scale = torch::rand(67) * 1e-4;
  const Tensor bias = with_bias ? torch::randn(67) : Tensor();
  const Tensor there = sums.to(device), scale_there = weight_scale.to(device),
               bias_there = with_bias ? bias.to(device) : Tensor();

  const Tensor one = torch::full({1}, 0.0371f), each = torch::rand(37) * 0.1;
  const Tensor of_one = plain_scaled(sums, one.expand(37).contiguous(), weight_scale, bias, dtype);
  const Tensor y = scale_sums(there, 0.0371f, scale_there, bias_there, dtype);
  CHECK(y.scalar_type() == dtype);
  CHECK(y.cpu().equal(of_one));
  CHECK(scale_sums(there, one.to(device), scale_there, bias_there, dtype).cpu().equal(of_one));
  CHECK(scale_sums(there, each.to(device), scale_there, bias_there, dtype)
            .cpu()
            .equal(plain_scaled(sums, each, weight_scale, bias, dtype)));
  if (device.is_cpu())  // a kernel that gives floats rounds the sums as the law does
    CHECK(scale_sums(sums.to(at::kFloat), 0.0371f, weight_scale, bias, dtype).equal(of_one));
}

TEST_CASE("sums that were padded are scaled without their padding", "[quant][kernels][cuda]") {
  const at::Device device = GENERATE(from_range(devices()));
  const Tensor sums = torch::tensor({{1, 2, 99}, {3, 4, 99}}, at::kInt).to(device);
  const Tensor y = scale_sums(sums.narrow(1, 0, 2), torch::tensor({2.0f, 10.0f}).to(device),
                              torch::tensor({1.0f, 0.5f}).to(device), Tensor(), at::kFloat);
  CHECK(y.cpu().equal(torch::tensor({{2.0f, 2.0f}, {30.0f, 20.0f}})));
}
