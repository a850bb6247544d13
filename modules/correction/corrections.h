#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "modules/correction/correction.h"
#include "modules/execute/structure.h"
#include "modules/network/forwarding_executor.h"
#include "modules/network/network.h"
#include "modules/weights/tensor_view.h"

namespace dualpath::modules {

/// Checks that every entry of `correction.ignore` names at least one of `stages`, else throws a
/// UsageError.
void check_ignored(const CorrectionOptions& options, const std::vector<CorrectableStage>& stages);

/// The corrections of a model, by stage. A stage without one passes unchanged.
class Corrections {
 public:
  Corrections() = default;
  /// Makes one on the device for each of `stages` that options.ignore does not name, of the stage's
  /// width. A pattern there that names none is a UsageError.
  Corrections(const std::vector<CorrectableStage>& stages, const CorrectionOptions& options,
              std::uint64_t seed, at::Device device = at::kCPU);

  torch::Tensor apply(const std::string& stage, const torch::Tensor& hidden) const;
  void drop(const std::string& stage) { by_stage_.erase(stage); }
  std::vector<std::string> stages() const;
  std::int64_t width(const std::string& stage) const;

  /// "<stage>.down.weight", …: the tensors themselves, to be trained or saved.
  NamedTensors parameters() const;
  /// Copies values in. A missing tensor or a wrong shape is an Error naming it and `where`.
  void load(const NamedTensors& values, const std::string& where);
  std::int64_t parameter_count() const;
  /// Distance of a stage's correction from the identity: the L2 norm of alpha times its
  /// up-projection, and of beta.
  double norm(const std::string& stage) const;
  std::int64_t bytes() const { return parameter_count() * 4; }  // float32

 private:
  std::map<std::string, DualPathCorrection> by_stage_;
};

/// Applies each stage's correction at its end, so that training, evaluation, generation and export
/// cannot forget it. Executor and corrections must outlive it. The control is Corrected(float).
class Corrected : public ForwardingExecutor {
 public:
  Corrected(Executor& executor, const Corrections& corrections)
      : ForwardingExecutor(executor), corrections_(corrections) {}

  void end(const Stage& stage, State& state) override {
    ForwardingExecutor::end(stage, state);
    at::Tensor& hidden = state.stream(stage.stream).hidden;
    hidden = corrections_.apply(stage.name, hidden);
  }

 private:
  const Corrections& corrections_;
};

}  // namespace dualpath::modules
