#include "modules/ops/depthwise.h"

#include <torch/torch.h>

#include "modules/ops/convolution.h"
#include "modules/ops/optional_tensor.h"
#include "tests/support/catch.h"
#include "tests/support/relative_difference.h"
#include "tests/support/vector_target.h"

using namespace dualpath::modules;
using namespace dualpath::testing;
using at::Tensor;

namespace {

ConvRef depthwise_ref(std::int64_t channels, std::int64_t kernel, std::int64_t padding) {
  return {"depthwise",  channels, channels, {kernel}, {1}, {padding}, /*groups=*/channels,
          /*bias=*/true};
}

Tensor plain(const Tensor& x, const Tensor& weight, const Tensor& bias, std::int64_t padding) {
  return at::conv1d(x, weight, optional_of(bias), /*stride=*/1, padding, /*dilation=*/1,
                    /*groups=*/weight.size(0));
}

}  // namespace

TEST_CASE("a depthwise convolution and its gradients are torch's", "[modules][depthwise]") {
  // channels, kernel, padding, time: vectors' ends, blocks' ends, clips shorter than the kernel.
  const auto [channels, kernel, padding, time] =
      GENERATE(table<std::int64_t, std::int64_t, std::int64_t, std::int64_t>({{16, 31, 15, 130},
                                                                              {37, 9, 4, 64},
                                                                              {5, 4, 3, 7},
                                                                              {8, 3, 0, 66},
                                                                              {16, 31, 15, 3},
                                                                              {1, 1, 0, 5}}));
  const bool has_bias = GENERATE(true, false);
  torch::manual_seed(31);
  const Tensor x = torch::randn({2, channels, time}).requires_grad_();
  const Tensor weight = torch::randn({channels, 1, kernel}).requires_grad_();
  const Tensor bias = has_bias ? torch::randn({channels}).requires_grad_() : Tensor();
  const ConvRef ref = depthwise_ref(channels, kernel, padding);
  REQUIRE(is_depthwise(ref, x));
  const Tensor y = convolution(ref, x, weight, bias), expected = plain(x, weight, bias, padding);
  CHECK(y.sizes() == expected.sizes());
  CHECK(at::allclose(y, expected, /*rtol=*/1e-5, /*atol=*/1e-5));
  std::vector<Tensor> inputs{x, weight};
  if (has_bias) inputs.push_back(bias);
  const Tensor slope = torch::randn_like(expected);
  const auto ours = torch::autograd::grad({y}, inputs, {slope});
  const auto theirs = torch::autograd::grad({expected}, inputs, {slope});
  for (std::size_t i = 0; i < inputs.size(); ++i)
    CHECK(at::allclose(ours[i], theirs[i], /*rtol=*/1e-4, /*atol=*/1e-4));
}

TEST_CASE("a depthwise convolution in half precision rounds float32's sums once",
          "[modules][depthwise]") {
  const at::ScalarType dtype = GENERATE(at::kBFloat16, at::kHalf);
  torch::manual_seed(32);
  const Tensor x = torch::randn({2, 21, 70}).to(dtype), weight = torch::randn({21, 1, 9}).to(dtype),
               bias = torch::randn({21}).to(dtype);
  const ConvRef ref = depthwise_ref(21, 9, 4);
  const auto wide = [](const Tensor& any) { return any.to(at::kFloat); };
  const Tensor sums = convolution(ref, wide(x), wide(weight), wide(bias));
  CHECK(convolution(ref, x, weight, bias).equal(sums.to(dtype)));
}

TEST_CASE("a depthwise convolution neither copies nor makes other than [B, T, C]",
          "[modules][depthwise]") {
  const Tensor x = torch::randn({2, 50, 24});
  const Tensor y = convolution(depthwise_ref(24, 5, 2), x.transpose(1, 2), torch::randn({24, 1, 5}),
                               /*bias=*/{});
  CHECK(y.transpose(1, 2).is_contiguous());
}

TEST_CASE("a depthwise convolution is the same with every kind of vectors",
          "[modules][depthwise]") {
  torch::manual_seed(33);
  const Tensor x = torch::randn({1, 37, 70}), weight = torch::randn({37, 1, 31});
  const ConvRef ref = depthwise_ref(37, 31, 15);
  const Tensor usual = convolution(ref, x, weight, /*bias=*/{});
  for (const std::int64_t kind : vector_targets()) {
    const VectorTarget target(kind);
    INFO(target.name);
    CHECK(relative_difference(convolution(ref, x, weight, /*bias=*/{}), usual) < 1e-6);
  }
}

TEST_CASE("what depthwise() does not do goes by torch's convolution", "[modules][depthwise]") {
  ConvRef ref = depthwise_ref(8, 5, 2);
  const Tensor x = torch::randn({1, 8, 20});
  CHECK_FALSE(is_depthwise(ref, x.to(at::kDouble)));
  ref.stride = {2};
  CHECK_FALSE(is_depthwise(ref, x));
  ref = depthwise_ref(8, 5, 2);
  ref.groups = 4;
  CHECK_FALSE(is_depthwise(ref, x));
}
