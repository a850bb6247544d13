#include "modules/weights/not_finite.h"

#include <limits>

#include "tests/support/catch.h"
#include "tests/support/error_message.h"

using namespace dualpath;
using namespace dualpath::modules;
using namespace dualpath::testing;

TEST_CASE("a weight that the compute dtype cannot hold is named with the dtype",
          "[modules][finite]") {
  const at::Tensor stored = torch::tensor({1.0f, 70000.0f, -1e9f});
  CHECK(error_message([&] { finite_weight("a.weight", stored, at::kHalf); }) ==
        "a.weight: 2 of 3 values are not finite in float16 (model.dtype), which ends at 65504; "
        "bfloat16 and float32 do not");
  CHECK(finite_weight("a.weight", stored, at::kBFloat16).equal(stored.to(at::kBFloat16)));
}

TEST_CASE("a weight that is not finite in its file is named with the file", "[modules][finite]") {
  const float kInfinity = std::numeric_limits<float>::infinity();
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  // Two infinities of different signs: no sum hides them.
  const at::Tensor stored = torch::tensor({1.0f, kInfinity, -kInfinity});
  CHECK(error_message([&] { finite_weight("a.weight", stored, dtype); }) ==
        "a.weight: 2 of 3 values are not finite in the model's file");
}

TEST_CASE("a weight whose sum overflows is finite all the same", "[modules][finite]") {
  const at::Tensor stored = torch::full({8}, 3e38f);
  CHECK(finite_weight("a.weight", stored, at::kFloat).is_same(stored));
}
