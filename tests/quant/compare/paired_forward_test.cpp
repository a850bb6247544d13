#include "quant/compare/paired_forward.h"

#include "data/samples/batch.h"

#include <torch/utils.h>

#include "modules/correction/corrections.h"
#include "modules/execute/float_executor.h"
#include "quant/compare/distance.h"
#include "tests/quant/hand_made.h"
#include "tests/support/catch.h"
#include "tests/support/device.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

modules::State start_of(const data::Batch& batch) {
  return modules::make_state(batch.ids, batch.mask);
}

/// Tokens [0, 1] and [2, padding].
data::Batch small_batch() {
  const Tensor ids = torch::tensor({{0, 1}, {2, 3}}, at::kLong);
  const Tensor mask = torch::tensor({{true, true}, {true, false}});
  return {ids, mask, torch::full_like(ids, data::kNoTarget)};
}

std::vector<double> distances_of(DistanceKind kind) {
  modules::FloatExecutor reference(hand_made_weights(), at::kFloat);
  modules::FloatExecutor skewed(skewed_weights(), at::kFloat);
  const PairedForward paired =
      paired_forward(hand_made_network(), start_of(small_batch()), reference, skewed, kind);
  std::vector<double> sums;
  for (const StageDistance& distance : paired.distances)
    sums.push_back(distance.sum.item<double>());
  return sums;
}

}  // namespace

TEST_CASE("a distance is summed over real tokens, squared or relative to each token's size",
          "[quant][distance]") {
  const Tensor fp = torch::tensor({{{3.f, 4.f}, {1.f, 0.f}, {9.f, 9.f}}});
  const Tensor q = torch::tensor({{{3.f, 6.f}, {1.f, 3.f}, {0.f, 0.f}}});
  const Tensor mask = torch::tensor({{true, true, false}});
  const auto distance = [&](DistanceKind kind) {
    return hidden_distance(kind, fp, q, mask).item<float>();
  };
  CHECK(distance(DistanceKind::kSquared) == 4.0f + 9.0f);
  CHECK(distance(DistanceKind::kRelative) == Approx(4.0f / 25.0f + 9.0f));
}

TEST_CASE("a token of zeros has a finite relative distance", "[quant][distance]") {
  const Tensor zeros = torch::zeros({1, 1, 2});
  CHECK(hidden_distance(DistanceKind::kRelative, zeros, zeros, torch::tensor({{true}}))
            .item<float>() == 0.0f);
}

TEST_CASE("a distance and its gradient are the same bits on every device",
          "[quant][distance][cuda]") {
  const DistanceKind kind = GENERATE(DistanceKind::kSquared, DistanceKind::kRelative);
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  // Also rows that do not fill sixteen lanes.
  const std::int64_t width = GENERATE(1, 15, 576, 4099);
  torch::manual_seed(12);
  const Tensor fp = torch::randn({2, 19, width}).to(dtype);
  const Tensor q = (fp.to(at::kFloat) + 0.5 * torch::randn({2, 19, width})).to(dtype);
  // One token only: each device adds up tokens in its own order.
  Tensor mask = torch::zeros({2, 19}, at::kBool);
  mask[1][17] = true;
  const Tensor wide_fp = fp[1][17].to(at::kDouble);
  const Tensor rounded = (q - fp)[1][17].to(at::kDouble);
  const double squares = rounded.square().sum().item<double>(),
               size = wide_fp.square().sum().item<double>();
  std::vector<Tensor> values, gradients;
  for (const at::Device device : devices()) {
    const Tensor leaf = q.to(device).requires_grad_();
    const Tensor distance = hidden_distance(kind, fp.to(device), leaf, mask.to(device));
    distance.backward();
    values.push_back(distance.detach().cpu());
    gradients.push_back(leaf.grad().cpu());
  }
  CHECK(values[0].item<double>() ==
        Approx(kind == DistanceKind::kSquared ? squares : squares / size).epsilon(1e-5));
  for (std::size_t i = 1; i < values.size(); ++i) {
    CHECK(values[i].equal(values[0]));
    CHECK(gradients[i].equal(gradients[0]));
  }
}

TEST_CASE("a distance's gradient is that of finite differences, and none at padding",
          "[quant][distance]") {
  const DistanceKind kind = GENERATE(DistanceKind::kSquared, DistanceKind::kRelative);
  torch::manual_seed(11);
  const Tensor fp = torch::randn({2, 3, 4});
  const Tensor mask = torch::tensor({{true, true, false}, {true, false, false}});
  Tensor q = (fp + 0.5 * torch::randn({2, 3, 4})).requires_grad_();
  (3.0 * hidden_distance(kind, fp, q, mask)).backward();
  CHECK(q.grad().index({mask.logical_not()}).abs().max().item<float>() == 0.0f);

  const torch::NoGradGuard no_grad;
  const Tensor flat = q.detach().flatten();
  const auto moved = [&](std::int64_t i, float step) {
    Tensor copy = flat.clone();
    copy[i] += step;
    return 3.0 * hidden_distance(kind, fp, copy.view({2, 3, 4}), mask).item<double>();
  };
  constexpr float kStep = 1.0f / 16;
  for (std::int64_t i = 0; i < flat.numel(); ++i) {
    const double slope = (moved(i, kStep) - moved(i, -kStep)) / (2 * kStep);
    CHECK(q.grad().flatten()[i].item<double>() == Approx(slope).margin(1e-3));
  }
}

TEST_CASE("a distance in half precision is summed in float32 and keeps the gradient's dtype",
          "[quant][distance]") {
  const Tensor fp = torch::zeros({1, 400, 8}, at::kBFloat16);
  Tensor q = torch::ones({1, 400, 8}, at::kBFloat16).requires_grad_();
  const Tensor sum =
      hidden_distance(DistanceKind::kSquared, fp, q, torch::ones({1, 400}, at::kBool));
  CHECK(sum.item<float>() == 3200.0f);
  sum.backward();
  CHECK(q.grad().equal(torch::full({1, 400, 8}, 2.0f).to(at::kBFloat16)));
}

TEST_CASE("paired paths measure each correctable stage, real tokens only",
          "[quant][paired_forward]") {
  // The skewed layer 0 moves [0, 2] to [0, 3] and [3, 4] to [3, 6]; layer 1 doubles all of it.
  // Padding, [100, 100], would move by 2500.
  CHECK(distances_of(DistanceKind::kSquared) == std::vector<double>{1.0 + 4.0, 4.0 + 16.0});
  const std::vector<double> relative = distances_of(DistanceKind::kRelative);
  CHECK(relative[0] == Approx(1.0 / 4 + 4.0 / 25));
  CHECK(relative[1] == Approx(1.0 / 4 + 4.0 / 25));
}

TEST_CASE("paired paths carry on apart and end with both hidden states",
          "[quant][paired_forward]") {
  modules::FloatExecutor reference(hand_made_weights(), at::kFloat);
  modules::FloatExecutor skewed(skewed_weights(), at::kFloat);
  const PairedForward paired = paired_forward(hand_made_network(), start_of(small_batch()),
                                              reference, skewed, DistanceKind::kRelative);
  CHECK(paired.distances.size() == 2);
  CHECK(paired.distances[0].stage == "model.layers.0");
  CHECK(paired.reference.hidden[0].equal(torch::tensor({{2.f, 0.f}, {0.f, 4.f}})));
  CHECK(paired.quantized.hidden[0].equal(torch::tensor({{2.f, 0.f}, {0.f, 6.f}})));
}

TEST_CASE("the reference keeps no graph even where its weights are trained",
          "[quant][paired_forward]") {
  const auto trained = std::make_shared<modules::WeightOverlay>(hand_made_weights());
  trained->set("model.layers.0.proj.weight", torch::eye(2).requires_grad_());
  const auto quantized_side = skewed_weights();
  quantized_side->set("model.layers.0.proj.weight",
                      torch::tensor({{1.f, 0.f}, {0.f, 1.5f}}).requires_grad_());
  modules::FloatExecutor reference(trained, at::kFloat), quantized(quantized_side, at::kFloat);
  const PairedForward paired = paired_forward(hand_made_network(), start_of(small_batch()),
                                              reference, quantized, DistanceKind::kSquared);
  CHECK_FALSE(paired.reference.hidden.requires_grad());
  CHECK(paired.quantized.hidden.requires_grad());
  (paired.distances[0].sum + paired.distances[1].sum).backward();
  CHECK_FALSE(trained->get("model.layers.0.proj.weight").grad().defined());
  CHECK(quantized_side->get("model.layers.0.proj.weight").grad().defined());
}

TEST_CASE("a stage's distance trains the corrections up to that stage, and no later one",
          "[quant][paired_forward]") {
  modules::FloatExecutor reference(hand_made_weights(), at::kFloat);
  modules::FloatExecutor skewed(skewed_weights(), at::kFloat);
  const modules::Corrections corrections(kStages, {}, /*seed=*/0);
  modules::Corrected corrected(skewed, corrections);
  const PairedForward paired = paired_forward(hand_made_network(), start_of(small_batch()),
                                              reference, corrected, DistanceKind::kRelative);
  paired.distances[0].sum.backward();
  const auto beta = [&](const char* stage) {
    return corrections.parameters().at(stage + std::string(".beta")).grad();
  };
  CHECK(beta("model.layers.0").abs().max().item<float>() > 0.0f);
  CHECK_FALSE(beta("model.layers.1").defined());
}
