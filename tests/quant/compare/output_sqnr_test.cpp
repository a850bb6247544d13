#include "quant/compare/output_sqnr.h"

#include <torch/utils.h>

#include "modules/correction/corrections.h"
#include "modules/execute/float_executor.h"
#include "quant/plan/planner.h"
#include "tests/quant/hand_made.h"
#include "tests/support/catch.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;

namespace {

data::Batch batch_of(const std::vector<std::int64_t>& ids, const std::vector<int>& mask) {
  const torch::Tensor tokens = torch::tensor(ids).unsqueeze(0);
  return {tokens, torch::tensor(mask).to(at::kBool).unsqueeze(0),
          torch::full_like(tokens, data::kNoTarget)};
}

Plan plan_of(const modules::Network& network) {
  QuantizeOptions options;
  options.ignore = {"head"};
  return make_plan(modules::structure_of(network), options);
}

const ActivationScales kScales({{"model.layers.0.proj.input", torch::full({1}, 0.02f)},
                                {"model.layers.1.proj.input", torch::full({1}, 1.0f)}});

}  // namespace

TEST_CASE("each linear's noise is told from its output's length, token by token, and alone",
          "[quant][sqnr]") {
  const modules::Network network = hand_made_network();
  modules::FloatExecutor reference(hand_made_weights(), at::kFloat);
  modules::FloatExecutor skewed(skewed_weights(), at::kFloat);
  // Layer 0 moves [0, 2] to [0, 3], a quarter of its squared length, and [3, 4] to [3, 6], 4 / 25.
  // Layer 1 is given what the reference has and doubles it, as the reference does.
  const auto sqnr = output_sqnr(network, {batch_of({1}, {1}), batch_of({2, 3}, {1, 0})},
                                plan_of(network), kScales, reference, skewed, [] {});
  REQUIRE(sqnr.size() == 2);
  CHECK(sqnr[0].linear == "model.layers.0.proj");
  CHECK(sqnr[0].stage == "model.layers.0");
  CHECK(sqnr[0].decibels == Approx(-10 * std::log10((0.25 + 0.16) / 2)));
  CHECK(sqnr[1].linear == "model.layers.1.proj");
  CHECK(sqnr[1].decibels == kMostDecibels);
  // Of 0, 2, 3 and 4 the last two.
  CHECK((sqnr[0].saturated == SaturatedShares{{modules::Modality::kText, 0.5}}));
  CHECK((sqnr[1].saturated == SaturatedShares{{modules::Modality::kText, 0.0}}));
}

TEST_CASE("linears that stay in float have no noise to tell", "[quant][sqnr]") {
  const modules::Network network = hand_made_network();
  QuantizeOptions options;
  options.ignore = {"head", "model.layers.0.proj"};
  modules::FloatExecutor reference(hand_made_weights(), at::kFloat);
  const auto sqnr =
      output_sqnr(network, {batch_of({1}, {1})}, make_plan(modules::structure_of(network), options),
                  kScales, reference, reference, [] {});
  REQUIRE(sqnr.size() == 1);
  CHECK(sqnr[0].linear == "model.layers.1.proj");
}

TEST_CASE("linears are compared at inputs that hold the reference's corrections", "[quant][sqnr]") {
  const torch::NoGradGuard no_grad;
  const modules::Network network = hand_made_network();
  modules::FloatExecutor plain(hand_made_weights(), at::kFloat);
  const modules::Corrections corrections(
      kStages, {.input = modules::CorrectionInput::kRaw, .ignore = {}}, /*seed=*/0);
  corrections.parameters().at("model.layers.0.beta").fill_(200.0f);
  modules::Corrected corrected(plain, corrections);
  const auto sqnr = output_sqnr(network, {batch_of({1}, {1})}, plan_of(network), kScales, corrected,
                                plain, [] {});
  // Layer 1 reads [200, 202]; its scale's range ends at 127.
  CHECK((sqnr[1].saturated == SaturatedShares{{modules::Modality::kText, 1.0}}));
  CHECK(sqnr[1].decibels == kMostDecibels);
}
