#include "modules/ops/rotation.h"

#include <cmath>

#include "tests/support/catch.h"

using namespace dualpath::modules;

namespace {

/// Rotates one head at one position. x: the head's dimensions.
at::Tensor rotated(std::vector<float> x, std::int64_t position) {
  const auto dim = static_cast<std::int64_t>(x.size());
  const Rotation rotation{.theta = 100.0, .dim = dim};  // for 4 dimensions: angles 1 and 0.1
  const auto table = rotation_table(rotation, torch::tensor({{position}}, at::kLong));
  return rotate(torch::tensor(x).view({1, 1, 1, dim}), table).flatten();
}

}  // namespace

TEST_CASE("dimension i turns with dimension i + dim/2, each pair slower than the last",
          "[modules][rotation]") {
  const float fast = 3.0f, slow = 0.3f;
  CHECK(at::allclose(rotated({1, 0, 0, 0}, 3),
                     torch::tensor({std::cos(fast), 0.0f, std::sin(fast), 0.0f})));
  CHECK(at::allclose(rotated({0, 0, 1, 0}, 3),
                     torch::tensor({-std::sin(fast), 0.0f, std::cos(fast), 0.0f})));
  CHECK(at::allclose(rotated({0, 1, 0, 0}, 3),
                     torch::tensor({0.0f, std::cos(slow), 0.0f, std::sin(slow)})));
}

TEST_CASE("interleaved, dimension 2i turns with 2i + 1; dimensions past the rotated ones stay",
          "[modules][rotation]") {
  const Rotation rotation{.theta = 100.0, .dim = 4, .interleaved = true};
  const auto table = rotation_table(rotation, torch::tensor({{3}}, at::kLong));
  const at::Tensor x = torch::tensor({1.0f, 0.0f, 0.0f, 1.0f, 5.0f, 6.0f}).view({1, 1, 1, 6});
  const float fast = 3.0f, slow = 0.3f;
  CHECK(at::allclose(rotate(x, table).flatten(),
                     torch::tensor({std::cos(fast), std::sin(fast), -std::sin(slow), std::cos(slow),
                                    5.0f, 6.0f})));
}

TEST_CASE("position 0 turns nothing", "[modules][rotation]") {
  CHECK(rotated({1, 2, 3, 4}, 0).equal(torch::tensor({1.0f, 2.0f, 3.0f, 4.0f})));
}

TEST_CASE("each row of a batch turns by its own positions and keeps its dtype",
          "[modules][rotation]") {
  const Rotation rotation{.theta = 100.0, .dim = 2};
  const auto table = rotation_table(rotation, torch::tensor({{0, 1}, {2, 3}}, at::kLong));
  CHECK(table.cos.sizes() == at::IntArrayRef{2, 2, 1});
  const at::Tensor x = torch::tensor({1.0f, 0.0f}).expand({2, 2, 1, 2}).to(at::kBFloat16);
  const at::Tensor y = rotate(x, table);
  CHECK(y.scalar_type() == at::kBFloat16);
  const at::Tensor cosines = torch::tensor({0.0f, 1.0f, 2.0f, 3.0f}).cos();
  CHECK(y.select(-1, 0).flatten().equal(cosines.to(at::kBFloat16)));
}

TEST_CASE("the gradient turns back, head by head", "[modules][rotation]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  torch::manual_seed(13);
  const auto table =
      rotation_table({.theta = 100.0, .dim = 6}, torch::arange(10, at::kLong).view({2, 5}));
  const at::Tensor x = torch::randn({2, 5, 3, 6}).to(dtype).requires_grad_();
  const at::Tensor slope = torch::randn({2, 5, 3, 6}).to(dtype);
  const at::Tensor y = rotate(x, table);
  y.backward(slope);
  const at::Tensor cos = table.cos.unsqueeze(2), sin = table.sin.unsqueeze(2);
  const auto turned = [&](const at::Tensor& from, double sign) {
    const auto halves = from.to(at::kFloat).chunk(2, -1);
    return torch::cat(
               {halves[0] * cos - sign * halves[1] * sin, halves[1] * cos + sign * halves[0] * sin},
               -1)
        .to(dtype);
  };
  CHECK(y.equal(turned(x, 1.0)));
  CHECK(x.grad().equal(turned(slope, -1.0)));
}

TEST_CASE("of a head that turns in part, interleaved, the gradient turns back in part",
          "[modules][rotation]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  torch::manual_seed(14);
  const auto table = rotation_table({.theta = 100.0, .dim = 6, .interleaved = true},
                                    torch::arange(10, at::kLong).view({2, 5}));
  const at::Tensor x = torch::randn({2, 5, 3, 10}).to(dtype).requires_grad_();
  const at::Tensor slope = torch::randn({2, 5, 3, 10}).to(dtype);
  const at::Tensor y = rotate(x, table);
  y.backward(slope);
  const at::Tensor cos = table.cos.unsqueeze(2), sin = table.sin.unsqueeze(2);
  const auto turned = [&](const at::Tensor& from, double sign) {
    const at::Tensor pairs = from.narrow(-1, 0, 6).to(at::kFloat).unflatten(-1, {3, 2});
    const at::Tensor first = pairs.select(-1, 0), second = pairs.select(-1, 1);
    const at::Tensor part =
        torch::stack({first * cos - sign * second * sin, second * cos + sign * first * sin}, -1);
    return torch::cat({part.flatten(-2).to(dtype), from.narrow(-1, 6, 4)}, -1);
  };
  CHECK(y.equal(turned(x, 1.0)));
  CHECK(x.grad().equal(turned(slope, -1.0)));
}
