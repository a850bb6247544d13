#include "quant/execute/modality_rows.h"

#include <torch/torch.h>

#include "tests/support/catch.h"

using namespace dualpath::quant;
using dualpath::modules::Modality;
using torch::Tensor;

namespace {

/// Returns text times ten and images times a hundred, and both twice side by side.
std::vector<Tensor> scaled(const Tensor& rows, Modality modality) {
  const Tensor y = rows * (modality == Modality::kText ? 10.0 : 100.0);
  return {y, at::cat({y, y}, -1)};
}

}  // namespace

TEST_CASE("rows of each modality are computed apart and come back in their order",
          "[quant][modality]") {
  Tensor x = torch::tensor({{{1.f}, {2.f}}, {{3.f}, {4.f}}}).requires_grad_();
  const Tensor kinds = torch::tensor({{1, 0}, {0, 1}}, at::kChar);
  const std::vector<Tensor> made = by_modality(x, kinds, scaled);
  REQUIRE(made.size() == 2);
  const Tensor expected = torch::tensor({{{100.f}, {20.f}}, {{30.f}, {400.f}}});
  CHECK(made[0].equal(expected));
  CHECK(made[1].equal(at::cat({expected, expected}, -1)));
  made[0].sum().backward();
  CHECK(x.grad().equal(torch::tensor({{{100.f}, {10.f}}, {{10.f}, {100.f}}})));
}

TEST_CASE("rows that are all of one modality stay as they are", "[quant][modality]") {
  const Tensor x = torch::tensor({{{1.f}, {2.f}}});
  const auto same = [&](const Tensor& rows, Modality modality) {
    CHECK(rows.is_same(x));
    return scaled(rows, modality);
  };
  CHECK(by_modality(x, {}, same).front().equal(10.0 * x));
  const Tensor images = torch::tensor({{1, 1}}, at::kChar);
  CHECK(by_modality(x, images, same).front().equal(100.0 * x));
}
