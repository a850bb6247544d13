#pragma once

#include <cstddef>
#include <functional>

#include "modules/network/state.h"

namespace dualpath::quant {

/// Samples of any modality. Each is a state at the first stage, made when its turn comes.
struct CalibrationSamples {
  std::size_t count = 0;
  std::function<modules::State(std::size_t)> state;
};
}  // namespace dualpath::quant
