#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/samples/samples.h"
#include "modules/network/batch_state.h"
#include "quant/calibrate/calibration.h"
#include "tests/support/model.h"
#include "tests/support/relative_difference.h"
#include "trainer/experiment/experiment.h"

namespace dualpath::testing {

/// Makes windows of tokens from a fixed sequence: as many as fit, the last one `rest` tokens long.
inline data::WindowSamples made_windows(std::int64_t full, std::int64_t length,
                                        std::int64_t rest = 0) {
  std::vector<std::int32_t> stream;
  for (std::int64_t i = 0; i < full * length + rest; ++i) {
    stream.push_back(static_cast<std::int32_t>((i * i * 7 + i * 31) % 509 + 1));
  }
  return data::WindowSamples({{std::move(stream)}, length, "made windows"});
}

inline data::Batch batch_of(const data::Samples& samples, std::vector<std::size_t> chosen) {
  return samples.batch(chosen);
}

/// A tiny random Llama with outliers, in float32, and a recipe that a test may change before it is
/// used.
inline trainer::Experiment tiny_experiment(const std::function<void(trainer::Recipe&)>& change =
                                               [](trainer::Recipe&) {}) {
  trainer::Recipe recipe;
  recipe.model = {kReference / "tiny_llama/outliers", at::kFloat};
  recipe.correction.reduction = 8;
  recipe.num_threads = 1;
  change(recipe);
  return trainer::open_experiment(std::move(recipe));
}

inline quant::Calibration calibrated(const trainer::Experiment& experiment) {
  std::vector<modules::State> samples;
  for (const data::Batch& batch : trainer::spread_samples(made_windows(3, 24), 3))
    samples.push_back(modules::make_state(batch, at::kCPU));
  return quant::calibrate(experiment.model.network, experiment.model.weights,
                          experiment.recipe.model.dtype, experiment.plan, samples, [] {});
}

inline modules::FloatExecutor reference_of(const trainer::Experiment& experiment) {
  return {experiment.model.weights, experiment.recipe.model.dtype};
}

/// Fills tensors as after some training: small values, none zero.
inline void fill(const modules::NamedTensors& parameters) {
  const at::NoGradGuard no_grad;
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(/*seed=*/5);
  for (const auto& [name, tensor] : parameters) {
    if (!name.ends_with("alpha")) at::Tensor(tensor).normal_(0.0, 0.02, generator);
  }
}

}  // namespace dualpath::testing
