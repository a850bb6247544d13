#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "modules/network/network.h"
#include "modules/network/state.h"
#include "modules/weights/tensor_view.h"

namespace dualpath::quant {

/// Samples of any modality. Each is a state at the first stage, made when its turn comes.
struct CalibrationSamples {
  std::size_t count = 0;
  std::function<modules::State(std::size_t)> state;
  bool text_only = false;  ///< runs the decoder's stages on samples without towers alone

  /// Whether a stage runs on a sample.
  bool runs(const modules::Stage& stage, const modules::State& sample) const {
    return !text_only || stage.stream != modules::Modality::kText || sample.towers.empty();
  }
};

/// The consecutive samples that one of several processes runs.
struct CalibrationShare {
  std::size_t begin, end;
  /// Returns what each process saw, in the order of their samples.
  std::function<std::vector<modules::NamedTensors>(const modules::NamedTensors&)> gather;
};

}  // namespace dualpath::quant
