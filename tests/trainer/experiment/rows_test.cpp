#include "trainer/experiment/rows.h"

#include <set>

#include "tests/support/catch.h"
#include "tests/trainer/tiny_experiment.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;

namespace {

/// Paths of a run after these steps; nothing is on disk.
TrainedPaths paths_of(const Experiment& experiment, std::int64_t steps,
                      std::int64_t control_steps) {
  TrainedPaths paths;
  paths.calibration = calibrated(experiment);
  paths.control = std::make_unique<ControlPath>(experiment);
  paths.quantized =
      std::make_unique<QuantizedPath>(experiment, paths.calibration, paths.control->executor);
  paths.steps = steps;
  paths.control_steps = control_steps;
  return paths;
}

std::vector<std::string> names_of(const std::vector<Row>& rows) {
  std::vector<std::string> names;
  for (const Row& row : rows) names.push_back(row.name);
  return names;
}

const std::function<void(Recipe&)> kSmooth = [](Recipe& recipe) {
  recipe.quantize.smoothing.emplace();
};

using RowNames = std::vector<std::string>;

}  // namespace

TEST_CASE("a run has the rows that there are of it, in the table's order", "[trainer][rows]") {
  const Experiment plain = tiny_experiment(), smooth = tiny_experiment(kSmooth);
  const auto names = [](const Experiment& experiment, std::int64_t steps, std::int64_t control) {
    const TrainedPaths paths = paths_of(experiment, steps, control);
    return names_of(RunRows(experiment, paths).rows());
  };
  CHECK(names(plain, 0, 0) == RowNames{"fp", "quantized"});
  CHECK(names(plain, 3, 0) == RowNames{"fp", "quantized", "corrected"});
  CHECK(names(plain, 3, 2) == RowNames{"fp", "quantized", "corrected", "control"});
  CHECK(names(smooth, 0, 0) == RowNames{"fp", "quantized", "smoothed"});
  CHECK(names(smooth, 3, 2) ==
        RowNames{"fp", "quantized", "smoothed", "smoothed_corrected", "control"});

  const Experiment in_float =
      tiny_experiment([](Recipe& recipe) { recipe.quantize = quant::QuantizeOptions::nothing(); });
  CHECK(names(in_float, 0, 0) == RowNames{"fp"});
  CHECK(names(in_float, 3, 0) == RowNames{"fp", "trained"});
}

TEST_CASE("rows that a run names are rows that a page can show", "[trainer][rows]") {
  const Experiment experiment = tiny_experiment(kSmooth);
  const TrainedPaths paths = paths_of(experiment, 3, 2);
  const RunRows run(experiment, paths);
  const std::set<std::string> shown(std::begin(kRows), std::end(kRows));
  for (const Row& row : run.rows()) CHECK(shown.contains(row.name));
}

TEST_CASE("a trained row has its steps and the bytes of its corrections", "[trainer][rows]") {
  const Experiment experiment = tiny_experiment();
  const TrainedPaths paths = paths_of(experiment, 3, 2);
  const RunRows run(experiment, paths);
  const Row &fp = run.rows()[0], &quantized = run.rows()[1], &corrected = run.rows()[2],
            &control = run.rows()[3];
  CHECK_FALSE(quantized.steps);
  CHECK(corrected.steps == 3);
  CHECK(control.steps == 2);
  CHECK(quantized.bytes < fp.bytes);
  CHECK(corrected.bytes - quantized.bytes == paths.quantized->trainables.corrections.bytes());
  CHECK(control.bytes - fp.bytes == paths.control->trainables.corrections.bytes());
  CHECK(corrected.recovers);
  CHECK_FALSE(control.recovers);
}
