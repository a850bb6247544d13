#include "trainer/predict/config_prediction.h"

#include "quant/stored/layout.h"
#include "tests/support/catch.h"
#include "tests/trainer/tiny_experiment.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;

namespace {

/// Predicts for an experiment's model from its config alone.
Prediction from_config(const Experiment& experiment, const Recipe& recipe) {
  const modules::Model& model = experiment.model;
  const at::ScalarType dtype =
      model.weights->info(model.structure.norms.front().weight_name()).dtype;
  return predict_from_config(recipe, modules::describe(model.config, dtype, "described"),
                             experiment.plan);
}

std::vector<std::string> listed(const std::vector<quant::PlannedBytes>& exported) {
  std::vector<std::string> list;
  for (const quant::PlannedBytes& tensor : exported)
    list.push_back(tensor.name + " " + tensor.dtype + " " + std::to_string(tensor.bytes));
  return list;
}

void check_as_measured(const Experiment& experiment, std::int64_t tokens = 32) {
  Recipe recipe = experiment.recipe;
  recipe.data.window = tokens;
  const Prediction told = from_config(experiment, recipe);
  ControlPath control(experiment);
  QuantizedPath path(experiment, quant::unit_calibration(experiment.plan), control.executor);
  CHECK(listed(told.exported) ==
        listed(quant::planned_bytes(experiment.plan, *path.trainables.weights,
                                    experiment.recipe.model.dtype)));
  CHECK(told.correction_parameters == path.trainables.corrections.parameter_count());
  CHECK(told.peak_resident_bytes.has_value());
  CHECK_FALSE(told.seconds.has_value());
  const data::Batch batch = batch_of(made_windows(2, tokens), {0, 1});
  const SavedBytes saved = saved_bytes_of_layer(experiment.model, experiment.recipe.loss.distance,
                                                batch, control.executor, path);
  // A distance's sum is 4 bytes for all tokens, whose number differs.
  CHECK(told.saved.kept == Approx(saved.kept).margin(0.5));
  CHECK(told.saved.checkpointed == Approx(saved.checkpointed).margin(0.5));
}

}  // namespace

TEST_CASE("a config alone tells the export's tensors and what a layer saves as the weights do",
          "[trainer][config_prediction]") {
  SECTION("of Llama's kind") { check_as_measured(tiny_experiment()); }
  SECTION("in windows too long for the softmax to be kept") {
    check_as_measured(tiny_experiment(), /*tokens=*/256);
  }
  SECTION("of GLM-4's kind, smoothed, in bfloat16") {
    check_as_measured(tiny_experiment([](Recipe& recipe) {
      recipe.model = {kReference / "tiny_families/glm4", at::kBFloat16};
      recipe.quantize.smoothing.emplace();
    }));
  }
  SECTION("with weights of 4 bits in groups and all of them trained") {
    check_as_measured(tiny_experiment([](Recipe& recipe) {
      quant::QuantArgs& weights = recipe.quantize.config_groups.front().weights;
      weights.num_bits = 4;
      weights.strategy = quant::Strategy::kGroup;
      weights.group_size = 32;
      recipe.train.learning_rate.weights = 1e-5;
      recipe.train.learning_rate.norm_weights = 1e-4;
    }));
  }
}

TEST_CASE("what is trained, and more tokens, take more memory", "[trainer][config_prediction]") {
  const auto peak = [](const std::function<void(Recipe&)>& change) {
    const Experiment experiment = tiny_experiment();
    Recipe recipe = experiment.recipe;
    change(recipe);  // also a window that the tiny model has no positions for
    return from_config(experiment, recipe).peak_resident_bytes.value();
  };
  // The process's own memory is a part and may grow a little in between.
  constexpr std::int64_t kMiB = 1 << 20;
  const std::int64_t frozen = peak([](Recipe&) {});
  CHECK(peak([](Recipe& recipe) { recipe.data.window = 32'768; }) > frozen + 100 * kMiB);
  CHECK(peak([](Recipe& recipe) {
          recipe.data.window = 32'768;
          recipe.train.gradient_checkpointing = true;
        }) < peak([](Recipe& recipe) { recipe.data.window = 32'768; }));
}
