#pragma once

#include <map>
#include <string>
#include <vector>

#include "modules/network/network.h"

namespace dualpath::modules {

/// Runs the stages of a trained path. Each keeps its graph for backward, or with gradient
/// checkpointing its input alone, and runs once more in backward. Losses and gradients are bit for
/// bit the same.
class GradientCheckpointing {
 public:
  GradientCheckpointing() = default;  ///< off: every graph is kept
  /// Checkpoints stages. trained: every trained tensor, by the path of its module. A stage trains
  /// those whose path begins with its own name and a dot. A tensor that a stage trains and that is
  /// missing here is an error in backward.
  explicit GradientCheckpointing(std::multimap<std::string, at::Tensor> trained)
      : on_(true), trained_(std::move(trained)) {}

  /// Like modules::run. A checkpointed stage changes nothing of the state but `hidden`; the
  /// executor meets it again in backward, with State::recomputed. Stages before the first hidden
  /// state, and stages that merge, keep their graphs. Stage and executor must outlive the graph.
  void run(const Stage& stage, Executor& executor, State& state) const;
  /// Runs every stage.
  void run(const Network& network, Executor& executor, State& state) const;

 private:
  std::vector<at::Tensor> trained_by(const Stage& stage) const;

  bool on_ = false;
  std::multimap<std::string, at::Tensor> trained_;
};

}  // namespace dualpath::modules
