#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>

#include "trainer/experiment.h"

namespace dualpath::trainer {

/// What a recipe will cost on this machine.
struct Prediction {
  std::int64_t export_bytes = 0;         ///< of model.safetensors' tensors: exact
  std::int64_t peak_resident_bytes = 0;  ///< of `train`
  double calibrate_seconds = 0.0, train_seconds = 0.0, control_seconds = 0.0,
         evaluate_seconds = 0.0;
};

/// Runs one layer and one chunk of the head on a batch of the recipe's shape, both paths, forward
/// and backward, for at most about two seconds, and multiplies: times from the clock, memory from
/// what the allocator handed out. Layers are taken to be alike.
Prediction predict(const Experiment& experiment, const Texts& texts);

nlohmann::json to_json(const Prediction& prediction);

}  // namespace dualpath::trainer
