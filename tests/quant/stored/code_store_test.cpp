#include "quant/stored/code_store.h"

#include <torch/utils.h>

#include "tests/quant/hand_made.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

/// One linear, and a store for its weight.
struct Linear {
  PlannedLinear planned{.ref = {"a", 2, 1},
                        .stage = "stage",
                        .group = "a.input",
                        .weights = kWeightInt8,
                        .input_activations = kInputInt8};
  std::shared_ptr<modules::WeightOverlay> weights =
      std::make_shared<modules::WeightOverlay>(std::make_shared<MemoryStore>(
          modules::NamedTensors{{"a.weight", torch::tensor({{1.f, 127.f}})}}));
  CodeStore codes{weights};

  Tensor train(const Tensor& values) {
    const Tensor leaf = values.clone().requires_grad_();
    weights->set("a.weight", leaf);
    return leaf;
  }
  std::shared_ptr<const GridWeight> get() { return codes.get(planned); }
};

GridWeight codes_of(std::vector<int> codes) {
  return {.codes = torch::tensor(codes, at::kChar).unsqueeze(0), .scale = torch::ones({1})};
}

}  // namespace

TEST_CASE("all who ask for a weight's codes get the same ones", "[quant][codes]") {
  Linear linear;
  const auto first = linear.get();
  CHECK(first->codes.equal(torch::tensor({{1, 127}}, at::kChar)));
  CHECK(linear.get() == first);
}

TEST_CASE("codes that nobody holds take no memory", "[quant][codes]") {
  Linear linear;
  const c10::weak_intrusive_ptr<c10::TensorImpl> codes(linear.get()->codes.getIntrusivePtr());
  CHECK(codes.expired());
}

TEST_CASE("codes are made anew when the weight has changed, and only then", "[quant][codes]") {
  Linear linear;
  const Tensor source = linear.train(torch::tensor({{1.f, 127.f}}));
  const auto first = linear.get();
  CHECK(linear.get() == first);
  {
    const torch::NoGradGuard no_grad;
    Tensor(source).sub_(torch::tensor({{3.f, 0.f}}));
  }
  const auto second = linear.get();
  CHECK(linear.get() == second);
  CHECK(second->codes.equal(torch::tensor({{-2, 127}}, at::kChar)));
  CHECK(first->codes.equal(torch::tensor({{1, 127}}, at::kChar)));
  linear.train(torch::tensor({{5.f, -127.f}}));
  CHECK(linear.get()->codes.equal(torch::tensor({{5, -127}}, at::kChar)));
}

TEST_CASE("a weight that training made infinite is named at each try", "[quant][codes]") {
  Linear linear;
  linear.train(torch::tensor({{1.f, INFINITY}}));
  for (int i = 0; i < 2; ++i) {
    CHECK(error_message([&] { linear.get(); }) ==
          "a.weight: 1 of 2 values are not finite in float32 (model.dtype)");
  }
}

TEST_CASE("codes that are set stand for a weight from the first use", "[quant][codes]") {
  Linear linear;
  linear.codes.set(linear.planned, codes_of({3, -5}));
  CHECK(linear.get()->codes.equal(torch::tensor({{3, -5}}, at::kChar)));
}

TEST_CASE("codes are not set of another shape, over ones in use or a trained weight",
          "[quant][codes]") {
  Linear linear;
  const auto set = [&](std::vector<int> codes) {
    linear.codes.set(linear.planned, codes_of(std::move(codes)));
  };
  CHECK_THROWS_WITH(set({1, 2, 3}),
                    Catch::StartsWith("a: codes of another weight than is planned"));
  {
    const auto used = linear.get();
    CHECK_THROWS_WITH(set({1, 2}), Catch::StartsWith("a: its codes are in use already"));
  }
  linear.train(torch::tensor({{1.f, 127.f}}));
  CHECK_THROWS_WITH(set({1, 2}), Catch::StartsWith("a: codes of a trained weight"));
}
