#include "quant/tensor_kernels.h"

#include <torch/cuda.h>

#include <limits>

#include "data/base/error.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"

using namespace dualpath;
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

/// Both routes.
void check_sums(const Tensor& a, const Tensor& b) {
  INFO("[" << a.size(0) << ", " << a.size(1) << "] times [" << b.size(0) << ", " << b.size(1)
           << "]");
  const Tensor expected = plain_sums(a, b).to(at::kInt);
  CHECK(integer_sums(a, b).equal(expected));
  CHECK(integer_sums_in_chunks(a, b).equal(expected));
}

/// The scalar header, then one cast.
Tensor plain_scaled(const Tensor& sums, float input_scale, const Tensor& weight_scale,
                    const Tensor& bias, at::ScalarType dtype) {
  const Tensor y = torch::empty(sums.sizes(), at::kFloat);
  for (std::int64_t i = 0; i < sums.numel(); ++i) {
    const std::int64_t c = i % sums.size(1);
    const float value = scaled_sum(sums.const_data_ptr<std::int32_t>()[i], input_scale,
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

TEST_CASE("a value that is not finite is an error that names its site", "[quant][kernels]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Tensor x = torch::ones({70, 3});
  x[3][1] = std::numeric_limits<float>::quiet_NaN();
  x[69][2] = kInfinity;
  x[0][0] = -kInfinity;
  const std::string site = "model.layers.3.mlp.down_proj.input";
  CHECK(error_message([&] { quantize(x.to(dtype), activation_grid(1.0f), site); }) ==
        site + ": 3 of 210 values are not finite");
}

TEST_CASE("a tensor that is not contiguous is quantized by its own order", "[quant][kernels]") {
  const Tensor x = torch::tensor({{1.f, 2.f}, {3.f, 4.f}});
  CHECK(quantize(x.t(), activation_grid(1.0f), "x")
            .values.equal(torch::tensor({{1, 3}, {2, 4}}, at::kChar)));
}

TEST_CASE("integer sums of random codes are those of a plain loop", "[quant][kernels]") {
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

TEST_CASE("integer sums of codes at their ends are exact", "[quant][kernels]") {
  const auto [left, right] = GENERATE(table<int, int>(
      {{-128, -127}, {-128, 127}, {127, 127}, {127, -127}, {-128, -128}, {127, -128}}));
  for (const std::int64_t k : {7, 1024, 1536, 16384}) {
    check_sums(torch::full({17, k}, left, at::kChar), torch::full({16, k}, right, at::kChar));
  }
}

TEST_CASE("scaled sums are the scalar header's to the bit", "[quant][kernels]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const bool with_bias = GENERATE(false, true);
  torch::manual_seed(7);
  const Tensor sums = large_sums(37, 67), weight_scale = torch::rand(67) * 1e-4;
  const Tensor bias = with_bias ? torch::randn(67) : Tensor();
  const Tensor y = scale_sums(sums, 0.0371f, weight_scale, bias, dtype);
  CHECK(y.scalar_type() == dtype);
  CHECK(y.equal(plain_scaled(sums, 0.0371f, weight_scale, bias, dtype)));
}

TEST_CASE("the kernels on the GPU give the CPU's bits", "[quant][kernels][cuda]") {
  if (!torch::cuda::is_available()) {
    WARN("SKIP: no CUDA device");
    return;
  }
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  torch::manual_seed(8);
  const Tensor x = (torch::randn({130, 1536}) * 60.0).to(dtype);
  const Grid grid = activation_grid(0.7f);
  const Codes host = quantize(x, grid, "x", /*want_in_range=*/true);
  const Codes device = quantize(x.cuda(), grid, "x", /*want_in_range=*/true);
  CHECK(device.values.cpu().equal(host.values));
  CHECK(device.in_range.cpu().equal(host.in_range));

  const Tensor weight = random_codes(96, 1536), sums = integer_sums(host.values, weight);
  CHECK(integer_sums(device.values, weight.cuda()).cpu().equal(sums));
  const Tensor scale = torch::rand(96) * 1e-4, bias = torch::randn(96);
  CHECK(scale_sums(sums.cuda(), 0.7f, scale.cuda(), bias.cuda(), dtype)
            .cpu()
            .equal(scale_sums(sums, 0.7f, scale, bias, dtype)));
  Tensor broken = x.cuda();
  broken[5][5] = std::numeric_limits<float>::quiet_NaN();
  CHECK(error_message([&] { quantize(broken, grid, "x"); }) ==
        "x: 1 of 199680 values are not finite");
}
