#include "quant/calibrate/position_rows.h"

#include <torch/torch.h>

#include "tests/support/catch.h"

using namespace dualpath::quant;
using torch::Tensor;

TEST_CASE("rows stand for positions, several a position where there are heads", "[quant][rows]") {
  const Tensor mask = torch::tensor({{true, false}, {true, true}});
  CHECK(real_rows(torch::zeros({2, 2, 5}), mask).equal(torch::tensor({true, false, true, true})));
  CHECK(real_rows(torch::zeros({4, 5}), mask).equal(torch::tensor({true, false, true, true})));
  CHECK(real_rows(torch::zeros({2, 2, 2, 5}), mask)
            .equal(torch::tensor({true, true, false, false, true, true, true, true})));
}

TEST_CASE("all rows are real of positions that a mask says nothing of", "[quant][rows]") {
  const Tensor all = torch::ones({6}, at::kBool);
  CHECK(real_rows(torch::zeros({1, 6, 5}), torch::tensor({{true, false}})).equal(all));
  CHECK(real_rows(torch::zeros({2, 3, 5}), Tensor()).equal(all));
}
