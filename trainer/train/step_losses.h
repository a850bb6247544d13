#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "modules/weights/device_counts.h"
#include "trainer/recipe/options.h"

namespace dualpath::trainer {

/// Means over the step's counts. `hidden` also averages over stages. A tower's stage takes the mean
/// over its own positions in each batch, and counts by the batch's share of tokens; a batch is what
/// all processes see at a time. If a batch shows the tower nothing, it adds nothing.
struct StepLosses {
  double total = 0.0, kl = 0.0, ce = 0.0, hidden = 0.0;
  double task = 0.0;      ///< of an objective without the decoder
  std::string task_name;  ///< its key in `loss`: "ctc", "alignment"; else empty
  /// The first term or stage whose value is not finite; empty if all are.
  std::string not_finite;

  StepLosses& operator+=(const StepLosses& other);
};

/// A batch's losses while they lie on its device. The host waits for the device when it reads them,
/// so it does that once a step.
struct UnreadLosses {
  LossOptions weights = {};              ///< of the terms in the total
  double targets = 1.0;                  ///< count that kl, ce and task are divided by
  std::vector<std::string> stages = {};  ///< stages that were compared, in order
  torch::Tensor distances = {};          ///< their sums, [stages] float32, or undefined
  torch::Tensor hidden = {};             ///< mean distance, float32 scalar, or undefined
  torch::Tensor kl = {}, ce = {};        ///< sums, float64 scalars, or undefined
  torch::Tensor task = {};               ///< sum, float64 scalar, or undefined
  std::string task_name = {};
  /// The weighted terms where targets or towers have weights of their own, float scalars: of kl and
  /// ce together, and of the distance. If undefined, `weights` weigh the means above.
  torch::Tensor weighted_head = {}, weighted_hidden = {};
};

/// The values of a step that the host wants to know.
struct StepReading {
  StepLosses losses;           ///< sums over the batches
  double gradient_norm = 0.0;  ///< 0 if the squared norm is undefined
};

/// Brings a step's values to the host by one copy, and checks the counts. squared_norm: float64
/// scalar, or undefined. A count that is not 0 is an Error.
StepReading read_step(const std::vector<UnreadLosses>& batches, const torch::Tensor& squared_norm,
                      modules::DeviceCounts& counts);

}  // namespace dualpath::trainer
