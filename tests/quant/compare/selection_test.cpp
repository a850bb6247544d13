#include "quant/compare/selection.h"

#include <torch/utils.h>

#include <limits>

#include "modules/execute/float_executor.h"
#include "tests/quant/hand_made.h"
#include "tests/support/catch.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

/// Makes corrections that only add beta.
modules::Corrections adding(std::vector<float> first, std::vector<float> second) {
  const torch::NoGradGuard no_grad;
  modules::Corrections corrections(kStages,
                                   {.reduction = 1,
                                    .input = modules::CorrectionInput::kRaw,
                                    .beta = modules::CorrectionBeta::kChannel,
                                    .ignore = {}},
                                   /*seed=*/0);
  const modules::NamedTensors parameters = corrections.parameters();
  parameters.at("model.layers.0.beta").copy_(torch::tensor(first));
  parameters.at("model.layers.1.beta").copy_(torch::tensor(second));
  return corrections;
}

/// Selects on tokens 1 and 2 and a padded one: layer 0 moves [0, 2] to [0, 3] and [3, 4] to [3, 6].
std::vector<SelectedStage> selected_by(modules::Corrections& corrections) {
  modules::FloatExecutor reference(hand_made_weights(), at::kFloat);
  modules::FloatExecutor skewed(skewed_weights(), at::kFloat);
  const auto batch = [](std::vector<std::int64_t> ids, std::vector<bool> mask) {
    const Tensor tokens = torch::tensor(ids).unsqueeze(0);
    Tensor real = torch::ones_like(tokens, at::kBool);
    for (std::size_t i = 0; i < mask.size(); ++i)
      real[0][static_cast<std::int64_t>(i)] = bool(mask[i]);
    return data::Batch{tokens, real, torch::full_like(tokens, data::kNoTarget)};
  };
  const std::vector<data::Batch> batches{batch({1}, {true}), batch({2, 3}, {true, false})};
  const SelectionBatches in_turn{batches.size(), [&](std::size_t i) { return batches[i]; }};
  return select_corrections(hand_made_network(), in_turn, reference, skewed, corrections,
                            DistanceKind::kSquared, [] {});
}

}  // namespace

TEST_CASE("a correction that brings its own stage closer is kept, one that does not is dropped",
          "[quant][selection]") {
  // Uncorrected, the tokens are 1 and 4 off: 2.5 a token. Less 1.5 in channel 1, they are 0.25 and
  // 0.25 off. Layer 1 then sees -0.5 and 0.5 and doubles them: 1 and 1. Another 100 in channel 0
  // adds 10000.
  modules::Corrections corrections = adding({0.0f, -1.5f}, {100.0f, 0.0f});
  const std::vector<SelectedStage> selected = selected_by(corrections);
  REQUIRE(selected.size() == 2);
  CHECK(selected[0].stage == "model.layers.0");
  CHECK(selected[0].before == Approx(2.5));
  CHECK(selected[0].after == Approx(0.25));
  CHECK(selected[0].kept);
  CHECK(selected[1].before == Approx(1.0));
  CHECK(selected[1].after == Approx(10001.0));
  CHECK_FALSE(selected[1].kept);
  CHECK(corrections.stages() == std::vector<std::string>{"model.layers.0"});
}

TEST_CASE("a correction that changes nothing is dropped", "[quant][selection]") {
  modules::Corrections corrections = adding({0.0f, 0.0f}, {0.0f, 0.0f});
  for (const SelectedStage& stage : selected_by(corrections)) CHECK_FALSE(stage.kept);
  CHECK(corrections.stages().empty());
}

TEST_CASE("a correction that is not finite is dropped", "[quant][selection]") {
  modules::Corrections corrections =
      adding({0.0f, 0.0f}, {std::numeric_limits<float>::quiet_NaN(), 0.0f});
  for (const SelectedStage& stage : selected_by(corrections)) CHECK_FALSE(stage.kept);
  CHECK(corrections.stages().empty());
}
