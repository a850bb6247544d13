#include <array>

#include "modules/network/batch_state.h"
#include "modules/weights/device_counts.h"
#include "quant/calibrate/observe_executor.h"
#include "tests/standin/small_run.h"
#include "tests/support/catch.h"
#include "tests/support/standin_device.h"
#include "tests/support/temporary_directory.h"
#include "trainer/experiment/experiment.h"
#include "trainer/train/gradient_checkpointing.h"
#include "trainer/train/train_loop.h"

using namespace dualpath;
using namespace dualpath::testing;

namespace {

struct Model {
  std::string path;
  std::vector<std::string> settings;
};

Model any_model() {
  return GENERATE(
      Model{"tiny_llama/outliers", {}}, Model{"tiny_llama/outliers", {"quantize.smoothing={}"}},
      Model{"tiny_llama/outliers",
            {"quantize.kv_cache_scheme={}", "train.learning_rate.activation_scales=1e-3"}},
      Model{"tiny_llama/outliers",
            {"train.learning_rate.weights=1e-4", "quantize.ignore=[]",
             "quantize.config_groups={all: {targets: [Linear], input_activations: {strategy: "
             "token, dynamic: true}}}"}},
      Model{"glm4v/tiny", {"train.gradient_checkpointing=true"}},
      Model{"composition/others",
            {"quantize.config_groups={all: {targets: [Linear, Conv1d, Conv2d]}}"}},
      Model{"composition/model",
            {"quantize.modality_scales=separate",
             "quantize.config_groups={all: {targets: [Linear, Conv2d, 're:.*depthwise_conv$']}}"}});
}

/// Both paths of a model on the stand-in device, and its texts.
struct Paths {
  explicit Paths(const Model& model)
      : run(model.path, model.settings, standin_device()),
        experiment(trainer::open_experiment(run.recipe())),
        texts(trainer::load_texts(experiment.recipe.data, experiment.model)),
        control(experiment),
        quantized(experiment, quant::unit_calibration(experiment.plan), control.executor) {}

  data::Batch batch() const {
    const std::array<std::size_t, 2> chosen{0, 1};
    return texts.train->batch(chosen);
  }

  SmallRun run;
  trainer::Experiment experiment;
  trainer::Texts texts;
  trainer::ControlPath control;
  trainer::QuantizedPath quantized;
};

}  // namespace

TEST_CASE("no stage of the quantized model makes the host wait", "[standin][read_backs]") {
  const Model model = any_model();
  INFO(model.path << " " << Catch::Detail::stringify(model.settings));
  Paths paths(model);
  modules::State state = modules::make_state(paths.batch(), standin_device());
  take_read_backs();
  modules::DeviceCounts counts;  // the step's
  for (const modules::Stage& stage : paths.experiment.model.network.stages) {
    INFO(stage.name);
    modules::run(stage, paths.quantized.corrected, state);
    CHECK(take_read_backs() == std::vector<std::string>{});
  }
  counts.check();
  CHECK(state.hidden.isfinite().all().item<bool>());
}

TEST_CASE("no stage of a calibration makes the host wait", "[standin][read_backs]") {
  const Model model = any_model();
  INFO(model.path << " " << Catch::Detail::stringify(model.settings));
  const Paths paths(model);
  const at::NoGradGuard no_grad;
  quant::ObserveExecutor observe(paths.experiment.model.weights,
                                 paths.experiment.recipe.model.tensor_options(),
                                 paths.experiment.plan);
  modules::State state = modules::make_state(paths.batch(), standin_device());
  take_read_backs();
  modules::DeviceCounts counts;
  for (const modules::Stage& stage : paths.experiment.model.network.stages) {
    INFO(stage.name);
    modules::run(stage, observe, state);
    CHECK(take_read_backs() == std::vector<std::string>{});
  }
  counts.check();
}

TEST_CASE("the host waits once a training step", "[standin][read_backs]") {
  const Model model = any_model();
  INFO(model.path << " " << Catch::Detail::stringify(model.settings));
  const auto read_backs_of = [&](std::int64_t steps) {
    Paths paths(model);
    const trainer::Recipe& recipe = paths.experiment.recipe;
    trainer::TrainOptions options = recipe.train;
    options.max_steps = options.save_steps = options.logging_steps = steps;
    options.gradient_accumulation_steps = 2;
    trainer::PairedObjective objective(
        paths.experiment.model.network, paths.control.executor, paths.quantized.corrected,
        recipe.loss,
        checkpointing_of(paths.quantized.trainables.groups, options.gradient_checkpointing));
    trainer::Optimizer optimizer(paths.quantized.trainables.groups, options);
    const TemporaryDirectory folder;
    take_read_backs();
    trainer::train_loop({"train", folder / "run", "fingerprint"}, options, /*seed=*/1,
                        *paths.texts.train, objective, optimizer);
    return take_read_backs().size();
  };
  CHECK(read_backs_of(5) - read_backs_of(2) == 3);  // both save and log once, at their end
}
