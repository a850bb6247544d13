#include "trainer/train/objective.h"

#include <torch/torch.h>

#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/trainer/tiny_experiment.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;
using torch::Tensor;

namespace {

/// Both paths of the tiny model, with corrections, scales and norms that are trained.
struct Paths {
  Paths() { fill(quantized.trainables.corrections.parameters()); }

  /// Takes the gradients of all that is trained, as one vector, and clears them.
  Tensor take_gradients() {
    std::vector<Tensor> all;
    for (const ParameterGroup& group : quantized.trainables.groups) {
      for (auto [name, tensor] : group.parameters) {
        REQUIRE(tensor.grad().defined());
        all.push_back(tensor.grad().flatten().clone());
        tensor.mutable_grad() = Tensor();
      }
    }
    return torch::cat(all);
  }

  Experiment experiment = tiny_experiment([](Recipe& recipe) {
    recipe.train.learning_rate = {.activation_scales = 1e-3, .norm_weights = 1e-3};
  });
  QuantizedPath quantized{experiment, calibrated(experiment), reference_of(experiment)};
  ControlPath control{experiment};
};

GlobalCount count_of(const data::Batch& batch) {
  return {batch.counted(), batch.mask.sum().item<std::int64_t>()};
}

constexpr LossOptions kEveryTerm{.kl = 1.0, .ce = 0.3, .hidden = 0.1};

}  // namespace

TEST_CASE("accumulating micro-batches of very unequal length equals one big batch",
          "[trainer][objective]") {
  Paths paths;
  PairedObjective objective(paths.experiment.model.network, paths.control.executor,
                            paths.quantized.corrected, kEveryTerm);
  const data::WindowSamples windows = made_windows(3, 40, /*rest=*/3);
  const data::Batch big = batch_of(windows, {0, 1, 2, 3});  // the last row is almost all padding
  const StepLosses whole = objective.accumulate(big, count_of(big));
  const Tensor gradient = paths.take_gradients();

  StepLosses sum;
  double mean_of_means = 0.0;
  for (std::size_t i = 0; i < 4; ++i) {
    sum += objective.accumulate(batch_of(windows, {i}), count_of(big));
  }
  const Tensor accumulated = paths.take_gradients();
  CHECK(sum.total == Approx(whole.total).epsilon(1e-6));
  CHECK(sum.kl == Approx(whole.kl).epsilon(1e-6));
  CHECK(sum.ce == Approx(whole.ce).epsilon(1e-6));
  CHECK(sum.hidden == Approx(whole.hidden).epsilon(1e-6));
  CHECK(whole.total == Approx(whole.kl + 0.3 * whole.ce + 0.1 * whole.hidden));
  CHECK(relative_difference(accumulated, gradient) <= 1e-6);

  for (std::size_t i = 0; i < 4; ++i) {
    const data::Batch alone = batch_of(windows, {i});
    mean_of_means += objective.accumulate(alone, count_of(alone)).total / 4;
  }
  CHECK(relative_difference(paths.take_gradients() / 4, gradient) > 1e-2);  // the usual mistake
  CHECK(mean_of_means != Approx(whole.total).epsilon(1e-4));
}

TEST_CASE("the control accumulates as the repair does", "[trainer][objective]") {
  Paths paths;
  CrossEntropyObjective objective(paths.experiment.model.network, paths.control.corrected);
  const data::WindowSamples windows = made_windows(2, 40, /*rest=*/3);
  const data::Batch big = batch_of(windows, {0, 1, 2});
  const Tensor beta = paths.control.trainables.corrections.parameters().at("model.layers.1.beta");
  const StepLosses whole = objective.accumulate(big, count_of(big));
  const Tensor gradient = beta.grad().clone();
  beta.mutable_grad() = Tensor();
  StepLosses sum;
  for (std::size_t i = 0; i < 3; ++i) {
    sum += objective.accumulate(batch_of(windows, {i}), count_of(big));
  }
  CHECK(sum.ce == Approx(whole.ce).epsilon(1e-6));
  CHECK(sum.total == sum.ce);
  CHECK(relative_difference(beta.grad(), gradient) <= 1e-6);
}

TEST_CASE("the total's gradient is that of finite differences", "[trainer][objective]") {
  Paths paths;
  PairedObjective objective(paths.experiment.model.network, paths.control.executor,
                            paths.quantized.corrected, kEveryTerm);
  const data::Batch batch = batch_of(made_windows(1, 24), {0});
  // Behind the last quantized linear the loss is smooth; in front of it, codes jump.
  const Tensor beta = paths.quantized.trainables.corrections.parameters().at("model.layers.2.beta");
  objective.accumulate(batch, count_of(batch));
  const Tensor gradient = beta.grad().clone();
  constexpr double kStep = 1e-2;
  const auto total_at = [&](double offset) {
    {
      const torch::NoGradGuard no_grad;
      beta[5] += offset;
    }
    const double total = objective.accumulate(batch, count_of(batch)).total;
    const torch::NoGradGuard no_grad;
    beta[5] -= offset;
    return total;
  };
  const double slope = (total_at(kStep) - total_at(-kStep)) / (2 * kStep);
  CHECK(gradient[5].item<double>() == Approx(slope).epsilon(1e-2));
}

TEST_CASE("a path that is not finite is named by its first stage or site", "[trainer][objective]") {
  Paths paths;
  PairedObjective objective(paths.experiment.model.network, paths.control.executor,
                            paths.quantized.corrected, kEveryTerm);
  const data::Batch batch = batch_of(made_windows(1, 24), {0});
  const auto poison = [&](const std::string& name) {
    const torch::NoGradGuard no_grad;
    paths.quantized.trainables.corrections.parameters().at(name).fill_(NAN);
  };
  SECTION("behind the last quantized linear, by the stage of the distance") {
    poison("model.layers.2.alpha");
    CHECK(objective.accumulate(batch, count_of(batch)).not_finite == "model.layers.2");
  }
  SECTION("before one, by its input") {
    poison("model.layers.0.alpha");
    CHECK_THAT(error_message([&] { objective.accumulate(batch, count_of(batch)); }),
               Catch::StartsWith("model.layers.1.self_attn.q_proj.input: ") &&
                   Catch::EndsWith(" values are not finite in float32 (model.dtype)"));
  }
}
