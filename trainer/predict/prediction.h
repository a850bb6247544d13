#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "quant/stored/layout.h"
#include "trainer/experiment/experiment.h"
#include "trainer/predict/saved_bytes.h"

namespace dualpath::trainer {

struct PredictedSeconds {
  double calibrate = 0.0, train = 0.0, control = 0.0, evaluate = 0.0;
};

/// The cost of a recipe on this machine.
struct Prediction {
  std::vector<quant::PlannedBytes> exported;  ///< model.safetensors' tensors: exact
  std::int64_t correction_parameters = 0;     ///< beside them, in float32
  /// Peak of `train` on the CPU; needs a kernel that can tell.
  std::optional<std::int64_t> peak_resident_bytes;
  std::optional<std::int64_t> peak_device_bytes = {};  ///< of `train` on a GPU, of its memory
  /// For backward, by a layer of the quantized path, a token: exact. 0 for training in float.
  SavedBytes saved;
  SavedBytes saved_by_towers = {};          ///< likewise, of a step's pictures and clips
  std::optional<PredictedSeconds> seconds;  ///< nothing where there are no weights to run with

  /// Bytes of the memory that computes; nothing if they could not be found out.
  std::optional<std::int64_t> peak_memory_bytes() const {
    return peak_device_bytes ? peak_device_bytes : peak_resident_bytes;
  }
};

/// Predicts by running the recipe's own work: a calibration window, a training step of either path,
/// an evaluated window. It runs on networks of one and of a few layers and on one and two chunks of
/// the head, and adds up. Times come from the clock, memory from the growth of resident bytes.
/// Takes about two seconds for a model of 135M parameters. Layers are taken to be alike. Blockwise
/// training's memory is told by shapes (training_bytes()); to measure its times takes more than
/// that, and minutes for layers as large as a 9B model's.
Prediction predict(const Experiment& experiment, const Texts& texts);

}  // namespace dualpath::trainer
