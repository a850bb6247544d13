#pragma once

#include <map>
#include <string>
#include <vector>

#include "modules/network/network.h"

namespace dualpath::modules {

/// How the stages of a path that is trained run: each keeps its graph for backward, or (gradient
/// checkpointing) its input alone and runs once more in backward. Losses and gradients are the
/// same, bit for bit.
class GradientCheckpointing {
 public:
  GradientCheckpointing() = default;  ///< off
  /// On. trained: every tensor that is trained, by the path of its module. A stage trains those
  /// whose path begins with its own name and a dot; one that a stage trains and that is not here is
  /// an error in backward.
  explicit GradientCheckpointing(std::multimap<std::string, at::Tensor> trained)
      : on_(true), trained_(std::move(trained)) {}

  /// modules::run. A checkpointed stage changes nothing of the state but `hidden`; the executor
  /// meets it again in backward, with State::recomputed. Stages before the first hidden state, and
  /// those that merge, keep their graphs. Stage and executor must outlive the graph.
  void run(const Stage& stage, Executor& executor, State& state) const;
  /// Every stage.
  void run(const Network& network, Executor& executor, State& state) const;

 private:
  std::vector<at::Tensor> trained_by(const Stage& stage) const;

  bool on_ = false;
  std::multimap<std::string, at::Tensor> trained_;
};

}  // namespace dualpath::modules
