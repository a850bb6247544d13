#include <torch/torch.h>

#include "tests/quant/hand_made.h"
#include "tests/support/catch.h"
#include "tests/trainer/tiny_experiment.h"
#include "trainer/train/gradient_checkpointing.h"
#include "trainer/train/objective.h"
#include "trainer/train/optimizer.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;
using torch::Tensor;

namespace {

constexpr LossOptions kAllTerms{.kl = 1.0, .ce = 0.3, .hidden = 0.1};
constexpr std::int64_t kSteps = 3;

struct Optimized {
  std::vector<double> losses;
  modules::NamedTensors gradients;  ///< the first step's gradients
  modules::NamedTensors parameters;
};

modules::NamedTensors copies(const modules::NamedTensors& tensors) {
  modules::NamedTensors result;
  for (const auto& [name, tensor] : tensors) result[name] = tensor.detach().clone();
  return result;
}

/// Takes three optimizer steps of two batches each.
Optimized train(const Experiment& experiment, const std::vector<ParameterGroup>& groups,
                Objective& objective) {
  Optimizer optimizer(groups, experiment.recipe.train);
  const data::WindowSamples windows = made_windows(4, 40, /*rest=*/9);
  Optimized trained;
  for (std::int64_t step = 0; step < kSteps; ++step) {
    const std::vector<data::Batch> batches{batch_of(windows, {0, 1}), batch_of(windows, {2, 4})};
    GlobalCount count;
    for (const data::Batch& batch : batches) {
      count.targets += batch.counted();
      count.tokens += batch.mask.sum().item<std::int64_t>();
    }
    for (const data::Batch& batch : batches) {
      const StepLosses losses = objective.accumulate(batch, count);
      for (const double loss : {losses.total, losses.kl, losses.ce, losses.hidden})
        trained.losses.push_back(loss);
    }
    if (step == 0) {
      for (const auto& [name, tensor] : optimizer.parameters()) {
        INFO(name);
        REQUIRE(tensor.grad().defined());
        trained.gradients[name] = tensor.grad().clone();
      }
    }
    optimizer.step(step);
  }
  trained.parameters = copies(optimizer.parameters());
  return trained;
}

void check_equal(const Optimized& one, const Optimized& other) {
  CHECK(one.losses == other.losses);
  for (const auto member : {&Optimized::gradients, &Optimized::parameters}) {
    REQUIRE((one.*member).size() == (other.*member).size());
    for (const auto& [name, tensor] : one.*member) {
      INFO(name);
      CHECK(tensor.equal((other.*member).at(name)));
    }
  }
}

Optimized train_repair(const TrainableOptions& rates, at::ScalarType dtype, bool checkpointed,
                       const quant::QuantizeOptions& scheme = {}) {
  const Experiment experiment = tiny_experiment([&](Recipe& recipe) {
    recipe.model.dtype = dtype;
    recipe.quantize = scheme;
    recipe.train.learning_rate = rates;
    recipe.train.max_steps = kSteps;
  });
  ControlPath control(experiment);
  QuantizedPath path(experiment, calibrated(experiment), control.executor);
  fill(path.trainables.corrections.parameters());
  PairedObjective objective(experiment.model.network, control.executor, path.corrected, kAllTerms,
                            checkpointing_of(path.trainables.groups, checkpointed));
  return train(experiment, path.trainables.groups, objective);
}

Optimized train_control(bool checkpointed) {
  const Experiment experiment = tiny_experiment([&](Recipe& recipe) {
    recipe.model.dtype = at::kBFloat16;
    recipe.train.max_steps = kSteps;
  });
  ControlPath control(experiment);
  fill(control.trainables.corrections.parameters());
  CrossEntropyObjective objective(experiment.model.network, control.corrected,
                                  checkpointing_of(control.trainables.groups, checkpointed));
  return train(experiment, control.trainables.groups, objective);
}

}  // namespace

TEST_CASE("gradient checkpointing changes no bit of losses, gradients and trained tensors",
          "[trainer][checkpointing]") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16);
  const TrainableOptions corrections{};
  const TrainableOptions all{.activation_scales = 1e-3, .norm_weights = 1e-3, .weights = 1e-4};
  const TrainableOptions scales{.corrections = 0.0, .activation_scales = 1e-3};
  for (const TrainableOptions& rates : {corrections, all, scales})
    check_equal(train_repair(rates, dtype, true), train_repair(rates, dtype, false));
}

TEST_CASE("gradient checkpointing changes no bit of any scheme", "[trainer][checkpointing]") {
  using quant::Strategy;
  const auto grouped = weights_of(4, Strategy::kGroup, 32, /*symmetric=*/true);
  const quant::QuantizeOptions scheme = GENERATE_COPY(
      values({token_inputs(), mixed_schemes(), all_by(grouped, quant::kTokenInt8),
              all_by(weights_of(4, Strategy::kChannel, 0, /*symmetric=*/false), std::nullopt)}));
  const TrainableOptions all{.norm_weights = 1e-3, .weights = 1e-4};
  for (const TrainableOptions& rates : {TrainableOptions{}, all}) {
    check_equal(train_repair(rates, at::kBFloat16, true, scheme),
                train_repair(rates, at::kBFloat16, false, scheme));
  }
}

TEST_CASE("with gradient checkpointing the first stage's correction gets its gradient",
          "[trainer][checkpointing]") {
  const Optimized trained = train_repair({}, at::kFloat, true);
  for (const char* parameter :
       {"down.weight", "down.bias", "up.weight", "up.bias", "alpha", "beta"}) {
    INFO(parameter);
    const Tensor gradient =
        trained.gradients.at(std::string("correction.model.layers.0.") + parameter);
    CHECK(gradient.abs().max().item<float>() > 0.0f);
  }
}

TEST_CASE("gradient checkpointing changes no bit of the control", "[trainer][checkpointing]") {
  check_equal(train_control(true), train_control(false));
}
