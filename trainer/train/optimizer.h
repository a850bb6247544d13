#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "modules/weights/tensor_view.h"
#include "trainer/processes/gradients.h"
#include "trainer/processes/processes.h"
#include "trainer/recipe/options.h"

namespace dualpath::trainer {

/// Share of learning_rate at a step, in [0, 1]: linear warm-up over warmup_ratio of the steps, then
/// by type. step counts from 0 to max_steps - 1.
double schedule_factor(Schedule type, double warmup_ratio, std::int64_t step,
                       std::int64_t max_steps);

/// Tensors that are trained together, by name, with one learning rate and decay.
struct ParameterGroup {
  modules::NamedTensors parameters;
  double learning_rate = 0.0, weight_decay = 0.0;
};

/// AdamW over groups, with clipping by the global norm. Its state goes by parameter name, so that
/// it can be saved. Parameters are float32. A step is one pass over each, clipping included
/// (kernels/adamw.h). With shard_optimizer each process keeps the moments of its own parameters,
/// steps these, and gets the others' values from their owners. All steps are collective then; two
/// processes get the bits of an undivided state.
class Optimizer {
 public:
  /// processes must outlive the optimizer.
  Optimizer(std::vector<ParameterGroup> groups, const TrainOptions& options,
            Processes& processes = Processes::alone());

  /// The gradients' sums over the processes: everywhere, or each where its moments are. A step of
  /// several processes begins when they are finished.
  GradientSums& gradients() { return gradients_; }

  /// Square of the gradients' norm, a float64 scalar on their device. Undefined if there is none.
  torch::Tensor squared_gradient_norm() const;
  /// The gradients' norm, read at once; 0 if there is none.
  double gradient_norm() const;
  /// Clips by the gradients' norm, steps with the schedule's rate for `step` (from 0), clears the
  /// gradients. A parameter without a gradient stays unchanged.
  void step(std::int64_t step, double gradient_norm);
  /// step() by the norm as it is, which is returned.
  double step(std::int64_t step);
  double learning_rate(std::int64_t step) const;  ///< the first group's

  /// Every trained tensor, by name.
  const modules::NamedTensors& parameters() const { return parameters_; }
  /// Moments and steps: "<parameter>.exp_avg", ".exp_avg_sq" and ".step". If they are divided, the
  /// first process gets all of them, and the others nothing.
  modules::NamedTensors state() const;
  /// Loads values and state. A missing tensor or wrong shape is an Error naming it and `where`.
  void load(const modules::NamedTensors& parameters, const modules::NamedTensors& state,
            const std::string& where);

 private:
  struct Moments {
    torch::Tensor exp_avg, exp_avg_sq;
    std::int64_t step = 0;  ///< steps this parameter has taken
  };

  bool is_divided() const { return !gradients_.owners().empty(); }
  bool owns(const std::string& name) const;
  void spread_parameters();
  torch::Tensor sum_of_owners(const std::vector<torch::Tensor>& own) const;
  modules::NamedTensors own_state() const;

  TrainOptions options_;
  std::vector<ParameterGroup> groups_;
  modules::NamedTensors parameters_;
  Processes& processes_;
  GradientSums gradients_;
  std::map<std::string, Moments> moments_;  // parameters that have had a gradient
};

}  // namespace dualpath::trainer
