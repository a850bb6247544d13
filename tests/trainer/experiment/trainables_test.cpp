#include "trainer/experiment/trainables.h"

#include <torch/torch.h>

#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/trainer/tiny_experiment.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;

namespace {

constexpr const char* kFinalNorm = "model.norm.weight";

Experiment training(const TrainableOptions& rates) {
  return tiny_experiment([&](Recipe& recipe) {
    recipe.train.learning_rate = rates;
    recipe.train.weight_decay = 0.5;
  });
}

}  // namespace

TEST_CASE("each kind of parameter is a group with its rate; only weights of the model decay",
          "[trainer][trainables]") {
  const Experiment experiment =
      training({.corrections = 0.1, .activation_scales = 0.2, .norm_weights = 0.3});
  const QuantizedPath path(experiment, calibrated(experiment), reference_of(experiment));
  const std::vector<ParameterGroup>& groups = path.trainables.groups;
  REQUIRE(groups.size() == 3);
  CHECK(groups[0].parameters.size() == 3 * 6);  // layers; two weights, two biases, alpha, beta
  CHECK(groups[0].parameters.contains("correction.model.layers.2.up.weight"));
  CHECK(groups[1].parameters.size() == 12);
  CHECK(groups[1].parameters.contains("scale.model.layers.0.mlp.down_proj.input.log_scale"));
  CHECK(groups[2].parameters.size() == 3 * 2 + 1);
  CHECK(groups[2].parameters.contains(std::string("weight.") + kFinalNorm));
  CHECK(groups[0].learning_rate == 0.1);
  CHECK(groups[1].learning_rate == 0.2);
  CHECK(groups[2].learning_rate == 0.3);
  CHECK(groups[0].weight_decay == 0.0);
  CHECK(groups[1].weight_decay == 0.0);
  CHECK(groups[2].weight_decay == 0.5);
}

TEST_CASE("modules that are named are trained with all below them, and nothing else",
          "[trainer][trainables]") {
  const auto trained = [](const std::vector<std::string>& modules) {
    const Experiment experiment = tiny_experiment([&](Recipe& recipe) {
      recipe.train.learning_rate = {.corrections = 0.0, .norm_weights = 1.0, .weights = 1.0};
      recipe.train.modules = modules;
    });
    return trained_weights(experiment.recipe, experiment.model);
  };
  using Names = std::set<std::string>;
  CHECK(trained({"model.layers.1.mlp"}) == Names{"model.layers.1.mlp.down_proj.weight",
                                                 "model.layers.1.mlp.gate_proj.weight",
                                                 "model.layers.1.mlp.up_proj.weight"});
  CHECK(trained({"model.norm", R"(re:.*layers\.0\.self_attn\.q_proj)"}) ==
        Names{"model.layers.0.self_attn.q_proj.weight", kFinalNorm});
  CHECK(trained({"model.layers.0", "model"}).size() == trained({}).size());
  CHECK_THAT(error_message([&] {
               trained({"model.norm", "model.layer.1"});
             }),
             Catch::Contains("train.modules[1]") && Catch::Contains("matches no module; nearest:"));
}

TEST_CASE("all weights: what norms are not, each once and biases too", "[trainer][trainables]") {
  const Experiment experiment = training({.corrections = 0.0, .norm_weights = 0.3, .weights = 0.4});
  const QuantizedPath path(experiment, calibrated(experiment), reference_of(experiment));
  const std::vector<ParameterGroup>& groups = path.trainables.groups;
  REQUIRE(groups.size() == 2);
  const modules::WeightStore& store = *experiment.model.weights;
  CHECK(groups[0].parameters.size() + groups[1].parameters.size() == store.names().size());
  CHECK(groups[0].parameters.contains(std::string("weight.") + kFinalNorm));
  CHECK(groups[1].parameters.contains("weight.model.embed_tokens.weight"));
  CHECK(groups[1].parameters.contains("weight.model.layers.0.mlp.down_proj.weight"));
  CHECK(groups[1].learning_rate == 0.4);
  CHECK(groups[1].weight_decay == 0.5);
}

TEST_CASE("only static inputs have scales to train", "[trainer][trainables]") {
  const auto by_token = [](std::vector<std::string> targets, double rate) {
    return [targets = std::move(targets), rate](Recipe& recipe) {
      recipe.quantize.config_groups = {
          {.name = "token", .targets = targets, .input_activations = quant::kTokenInt8},
          {.name = "rest"}};
      recipe.train.learning_rate = {.corrections = 0.0, .activation_scales = rate};
    };
  };
  const Experiment mixed = tiny_experiment(by_token({"re:.*mlp.*"}, 0.1));
  const QuantizedPath path(mixed, calibrated(mixed), reference_of(mixed));
  REQUIRE(path.trainables.groups.size() == 1);
  CHECK(path.trainables.groups[0].parameters.size() == 3 * 2);
  CHECK(error_message([&] { tiny_experiment(by_token({"Linear"}, 0.1)); }) ==
        "train.learning_rate.activation_scales: expected 0, since no input has a static scale to "
        "train, got 0.1");
  CHECK_NOTHROW(tiny_experiment(by_token({"Linear"}, 0.0)));
}

TEST_CASE("a rate of 0 freezes its kind", "[trainer][trainables]") {
  const Experiment experiment = training({.corrections = 0.0, .activation_scales = 0.1});
  const QuantizedPath path(experiment, calibrated(experiment), reference_of(experiment));
  REQUIRE(path.trainables.groups.size() == 1);
  CHECK(path.trainables.groups[0].parameters.begin()->first.starts_with("scale."));
  CHECK(path.trainables.weights->trained().empty());
}

TEST_CASE("the control trains corrections and nothing else, from the same values",
          "[trainer][trainables]") {
  const Experiment experiment =
      training({.corrections = 0.1, .activation_scales = 0.2, .norm_weights = 0.3});
  const QuantizedPath path(experiment, calibrated(experiment), reference_of(experiment));
  const ControlPath control(experiment);
  REQUIRE(control.trainables.groups.size() == 1);
  const modules::NamedTensors ours = path.trainables.corrections.parameters();
  for (const auto& [name, tensor] : control.trainables.corrections.parameters()) {
    CHECK(tensor.equal(ours.at(name)));
    CHECK_FALSE(tensor.is_same(ours.at(name)));
  }
}

TEST_CASE("the quantized path computes with trained norm weights, the reference does not see them",
          "[trainer][trainables]") {
  const Experiment experiment = training({.norm_weights = 0.1});
  QuantizedPath path(experiment, calibrated(experiment), reference_of(experiment));
  ControlPath reference(experiment);
  const at::Tensor ids = batch_of(made_windows(1, 8), {0}).ids;
  const torch::NoGradGuard no_grad;
  const auto both = [&] {
    const modules::Network& network = experiment.model.network;
    return std::pair{logits_of(network, reference.executor, ids),
                     logits_of(network, path.corrected, ids)};
  };
  const auto [fp_before, quantized_before] = both();
  path.trainables.weights->trained().at(kFinalNorm).mul_(2.0);
  const auto [fp_after, quantized_after] = both();
  CHECK(fp_after.equal(fp_before));
  CHECK(at::allclose(quantized_after, 2.0 * quantized_before));  // the head is linear
  CHECK(path.trainables.weights->get(kFinalNorm).requires_grad());
  CHECK_FALSE(experiment.model.weights->get(kFinalNorm).requires_grad());
}

TEST_CASE("a trained scale stays positive and moves what the quantized path computes",
          "[trainer][trainables]") {
  const Experiment experiment = training({.activation_scales = 0.1});
  QuantizedPath path(experiment, calibrated(experiment), reference_of(experiment));
  const at::Tensor ids = batch_of(made_windows(1, 8), {0}).ids;
  const torch::NoGradGuard no_grad;
  const std::string group = "model.layers.0.mlp.down_proj.input";
  const auto run = [&] { return logits_of(experiment.model.network, path.corrected, ids); };
  const at::Tensor before = run(), scale = path.trainables.scales.get(group).clone();
  path.trainables.scales.parameters().at(group + ".log_scale").sub_(std::log(2.0));
  CHECK(path.trainables.scales.get(group).item<float>() == Approx(scale.item<float>() / 2));
  CHECK_FALSE(run().equal(before));
}
