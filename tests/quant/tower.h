#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "quant/calibrate/calibration.h"
#include "quant/execute/quantized_executor.h"
#include "quant/plan/planner.h"
#include "tests/support/catch.h"
#include "tests/support/model.h"

namespace dualpath::testing {

/// An encoder alone, planned by some options and calibrated on some inputs, in float32.
struct Tower {
  Tower(modules::Network its_network, modules::Modality its_modality,
        std::shared_ptr<const modules::WeightStore> its_weights,
        const quant::QuantizeOptions& options, const std::vector<modules::Stream>& samples)
      : network(std::move(its_network)),
        modality(its_modality),
        weights(std::move(its_weights)),
        plan(quant::make_plan(modules::structure_of(network), options)),
        calibration(
            quant::calibrate(network, weights, at::kFloat, plan, states_of(samples), [] {})),
        scales(calibration.scales()) {}

  modules::State state_of(const modules::Stream& stream) const {
    modules::State state;
    state.towers[modality] = stream;
    return state;
  }
  std::vector<modules::State> states_of(const std::vector<modules::Stream>& streams) const {
    std::vector<modules::State> states;
    for (const modules::Stream& stream : streams) states.push_back(state_of(stream));
    return states;
  }
  at::Tensor features(modules::Executor& executor, const modules::Stream& stream) const {
    modules::State state = state_of(stream);
    modules::run(network, executor, state);
    return state.stream(modality).hidden;
  }

  modules::Network network;
  modules::Modality modality;
  std::shared_ptr<const modules::WeightStore> weights;
  quant::Plan plan;
  quant::Calibration calibration;
  quant::ActivationScales scales;
};

inline modules::Stream stream_of(const at::Tensor& input, const at::Tensor& mask = {}) {
  modules::Stream stream;
  stream.input = input;
  stream.mask = mask;
  return stream;
}

inline double relative_error(const at::Tensor& exact, const at::Tensor& made) {
  return ((exact - made).square().mean() / exact.square().mean()).item<double>();
}

/// In float32, integers and simulation give the same bits, near the float features but not them.
inline void check_integers(const Tower& tower, const modules::Stream& stream, double most_error) {
  const auto quantized = [&](quant::Compute compute) {
    quant::QuantizedExecutor executor(tower.weights, at::kFloat, tower.plan, tower.scales, compute);
    return tower.features(executor, stream);
  };
  modules::FloatExecutor exact(tower.weights, at::kFloat);
  const at::Tensor made = quantized(quant::Compute::kInteger);
  CHECK(made.equal(quantized(quant::Compute::kSimulate)));
  const double error = relative_error(tower.features(exact, stream), made);
  CHECK(error > 0.0);
  CHECK(error < most_error);
}

}  // namespace dualpath::testing
