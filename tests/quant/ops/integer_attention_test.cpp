#include "quant/ops/integer_attention.h"

#include <torch/torch.h>

#include <cmath>
#include <limits>

#include "modules/ops/attention.h"
#include "quant/ops/quantize.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

Tensor scales(std::int64_t heads) {
  return torch::linspace(0.01, 0.03, heads, torch::kFloat).view({heads, 1, 1});
}

/// Random query, key and value on their grids.
struct Operands {
  HeadCodes query, key, value;

  Operands(std::int64_t heads, std::int64_t kv_heads, std::int64_t rows, std::int64_t keys) {
    torch::manual_seed(5);
    constexpr std::int64_t kWidth = 16;
    query = quantize_heads(torch::randn({2, heads, rows, kWidth}), scales(heads), "query");
    key = quantize_heads(torch::randn({2, kv_heads, keys, kWidth}), scales(kv_heads), "key");
    value = quantize_heads(torch::randn({2, kv_heads, keys, kWidth}), scales(kv_heads), "value");
  }
};

Tensor long_of(const HeadCodes& operand, std::int64_t repeats) {
  return operand.codes.to(torch::kLong).repeat_interleave(repeats, 1);
}

/// Attention in 64-bit integers, where a sum cannot be rounded.
Tensor by_long_sums(const Operands& operands) {
  const std::int64_t heads = operands.query.codes.size(1), rows = operands.query.codes.size(2),
                     keys = operands.key.codes.size(2),
                     repeats = heads / operands.key.codes.size(1);
  const auto repeated = [&](const Tensor& scale) { return scale.repeat_interleave(repeats, 0); };
  const Tensor sums =
      torch::matmul(long_of(operands.query, 1), long_of(operands.key, repeats).transpose(2, 3));
  const Tensor scale = operands.query.scale * repeated(operands.key.scale) /
                       std::sqrt(static_cast<float>(operands.query.codes.size(3)));
  const Tensor hidden = torch::ones({rows, keys}, torch::kBool).triu(keys - rows + 1);
  const Tensor scores =
      (sums.to(torch::kFloat) * scale).masked_fill(hidden, -std::numeric_limits<float>::infinity());
  const Tensor codes = (torch::softmax(scores, -1) / (1.0f / 255.0f)).round().to(torch::kLong);
  const Tensor mixed = torch::matmul(codes, long_of(operands.value, repeats)).to(torch::kFloat);
  return mixed * (repeated(operands.value.scale) * (1.0f / 255.0f));
}

}  // namespace

TEST_CASE("a head's codes are those of the quantize kernel", "[quant][attention]") {
  torch::manual_seed(4);
  const auto dtype = GENERATE(torch::kFloat, torch::kBFloat16, torch::kHalf);
  const Tensor x = (2.0 * torch::randn({2, 3, 7, 16})).to(dtype);
  const HeadCodes heads = quantize_heads(x, scales(3), "site");
  for (std::int64_t head = 0; head < 3; ++head) {
    const float scale = scales(3)[head].item<float>();
    const Codes expected = quantize(x.select(1, head).contiguous(), activation_grid(scale), "site");
    CHECK(heads.codes.select(1, head).to(torch::kChar).equal(expected.values));
  }
}

TEST_CASE("codes round half to even and saturate; the gradient passes where they are in range",
          "[quant][attention]") {
  const Tensor x =
      torch::tensor({0.5f, 1.5f, -2.5f, 300.f, -128.4f}).view({1, 1, 5, 1}).requires_grad_();
  const Tensor scale = torch::ones({1, 1, 1}).requires_grad_();
  const HeadCodes heads = quantize_heads(x, scale, "site");
  CHECK(heads.codes.flatten().equal(torch::tensor({0.f, 2.f, -2.f, 127.f, -128.f})));
  heads.dequantized(torch::kFloat).sum().backward();
  CHECK(x.grad().flatten().equal(torch::tensor({1.f, 1.f, 1.f, 0.f, 1.f})));
  // In range it is code - level, beyond it the code: -0.5 + 0.5 + 0.5 + 127 + 0.4.
  CHECK(scale.grad().item<float>() == Approx(127.9f));
}

TEST_CASE("a value of an operand that is not finite is named", "[quant][attention]") {
  const Tensor x = torch::full({1, 1, 1, 2}, std::numeric_limits<float>::quiet_NaN());
  CHECK(error_message([&] {
          quantize_heads(x, torch::ones({1, 1, 1}), "attn.key");
        }) == "attn.key: 2 of 2 values are not finite in float32 (model.dtype)");
}

TEST_CASE("both products are exact sums of integers, over many keys too", "[quant][attention]") {
  const auto [heads, kv_heads, rows, keys] =
      GENERATE(table<std::int64_t, std::int64_t, std::int64_t, std::int64_t>(
          {{2, 2, 9, 9}, {6, 2, 5, 40}, {3, 1, 1, 33}, {4, 2, 3, 1100}}));
  const Operands operands(heads, kv_heads, rows, keys);
  const Tensor result = integer_attention(operands.query, operands.key, operands.value);
  CHECK(result.equal(by_long_sums(operands)));
}

TEST_CASE("queries by blocks see what they see together", "[quant][attention]") {
  const Operands operands(2, 1, 300, 340);
  const Tensor result = integer_attention(operands.query, operands.key, operands.value),
               together = by_long_sums(operands);
  // A softmax over fewer masked scores may add in another order: a probability's code may move.
  CHECK((result - together).abs().max().item<float>() < 0.05f);
  CHECK((result == together).to(torch::kFloat).mean().item<float>() > 0.95f);
}

TEST_CASE("integer attention is near the float one", "[quant][attention]") {
  const Operands operands(6, 2, 20, 20);
  const Tensor exact = modules::attention(operands.query.dequantized(torch::kFloat),
                                          operands.key.dequantized(torch::kFloat),
                                          operands.value.dequantized(torch::kFloat));
  const Tensor result = integer_attention(operands.query, operands.key, operands.value);
  // Each of 20 probabilities is off by half a code at most, values are below 4.
  const float difference = (result - exact).abs().max().item<float>();
  CHECK(difference < 20 * 0.5f / 255 * 4);
  CHECK(difference > 0);
}

TEST_CASE("the gradient of integer attention is near the float one's", "[quant][attention]") {
  Operands operands(4, 2, 12, 12);
  torch::manual_seed(6);
  const Tensor weight = torch::randn({2, 4, 12, 16});
  const auto gradients = [&](bool integer) {
    std::vector<Tensor> leaves;
    for (const HeadCodes* operand : {&operands.query, &operands.key, &operands.value})
      leaves.push_back(operand->dequantized(torch::kFloat).detach().requires_grad_());
    const auto codes = [&](std::size_t i, const HeadCodes& operand) {
      return quantize_heads(leaves[i], operand.scale, "site");
    };
    const Tensor result = integer
                              ? integer_attention(codes(0, operands.query), codes(1, operands.key),
                                                  codes(2, operands.value))
                              : modules::attention(leaves[0], leaves[1], leaves[2]);
    (result * weight).sum().backward();
    return std::vector{leaves[0].grad(), leaves[1].grad(), leaves[2].grad()};
  };
  const auto integer = gradients(true), exact = gradients(false);
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const float relative = ((integer[i] - exact[i]).norm() / exact[i].norm()).item<float>();
    CHECK(relative < 0.05f);
  }
}
