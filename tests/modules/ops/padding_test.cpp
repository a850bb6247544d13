#include "modules/ops/padding.h"

#include <ATen/ATen.h>

#include "tests/support/catch.h"

using namespace dualpath::modules;

namespace {

/// A mask of so many real positions among `size`.
at::Tensor mask_of(std::int64_t size, const std::vector<std::int64_t>& lengths) {
  return at::arange(size).lt(at::tensor(lengths).unsqueeze(1));
}

}  // namespace

TEST_CASE("padding is zero along the dimension that the mask is over", "[modules][padding]") {
  const at::Tensor mask = mask_of(3, {3, 1});
  CHECK(without_padding(at::ones({2, 3, 1}), mask, 1)
            .view({2, 3})
            .equal(at::tensor({1.f, 1.f, 1.f, 1.f, 0.f, 0.f}).view({2, 3})));
  const at::Tensor wide = without_padding(at::ones({2, 4, 3, 5}), mask, 2);
  CHECK(wide[0].sum().item<float>() == 4 * 3 * 5);
  CHECK(wide[1].sum().item<float>() == 4 * 1 * 5);
}

TEST_CASE("without padding a tensor stays where it is", "[modules][padding]") {
  const at::Tensor x = at::ones({2, 3, 1});
  CHECK(without_padding(x, mask_of(3, {3, 3}), 1).is_same(x));
}

TEST_CASE("the mask of a convolution's result has the lengths that it makes of real ones",
          "[modules][padding]") {
  const ConvRef ref{.name = "conv",
                    .in_channels = 1,
                    .out_channels = 1,
                    .kernel = {3, 3},
                    .stride = {2, 2},
                    .padding = {1, 1}};
  CHECK(conv_length(ref, 6) == 3);
  CHECK(conv_mask(ref, mask_of(6, {6, 5, 2, 0})).equal(mask_of(3, {3, 3, 1, 0})));
}
