#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "modules/correction.h"
#include "modules/executor.h"
#include "modules/network.h"
#include "modules/structure.h"
#include "modules/tensor_view.h"

namespace dualpath::quant {

/// `correction.ignore` names at least one of `stages` with every entry, else a UsageError.
void check_ignored(const modules::CorrectionOptions& options,
                   const std::vector<modules::CorrectableStage>& stages);

/// The corrections of a model, by stage. A stage without one passes unchanged.
class Corrections {
 public:
  Corrections() = default;
  /// One for each of `stages` that options.ignore does not name, of the stage's width; a pattern
  /// there that names none is a UsageError.
  Corrections(const std::vector<modules::CorrectableStage>& stages,
              const modules::CorrectionOptions& options, std::uint64_t seed);

  torch::Tensor apply(const std::string& stage, const torch::Tensor& hidden) const;
  void drop(const std::string& stage) { by_stage_.erase(stage); }
  std::vector<std::string> stages() const;
  std::int64_t width(const std::string& stage) const;

  /// "<stage>.down.weight", …; the tensors themselves, to be trained or saved.
  modules::NamedTensors parameters() const;
  /// Copies values in; a missing tensor or a wrong shape is an Error naming it and `where`.
  void load(const modules::NamedTensors& values, const std::string& where);
  std::int64_t parameter_count() const;
  /// How far a stage's correction is from the identity: the L2 norm of alpha times its
  /// up-projection, and of beta.
  double norm(const std::string& stage) const;
  std::int64_t bytes() const { return parameter_count() * 4; }  // float32

 private:
  std::map<std::string, modules::DualPathCorrection> by_stage_;
};

/// An executor with corrections: applies the stage's at its end, so that training, evaluation,
/// generation and export cannot forget it. Both must outlive it. The control is Corrected(float).
class Corrected : public modules::Executor {
 public:
  Corrected(modules::Executor& executor, const Corrections& corrections)
      : executor_(executor), corrections_(corrections) {}

  at::ScalarType compute_dtype() const override { return executor_.compute_dtype(); }
  std::vector<at::Tensor> linear(const modules::LinearRefs& refs, const at::Tensor& x) override {
    return executor_.linear(refs, x);
  }
  std::vector<at::Tensor> norm_linear(const modules::NormRef& norm, const modules::LinearRefs& refs,
                                      const at::Tensor& x) override {
    return executor_.norm_linear(norm, refs, x);
  }
  at::Tensor conv(const modules::ConvRef& ref, const at::Tensor& x) override {
    return executor_.conv(ref, x);
  }
  at::Tensor parameter(const modules::ParameterRef& ref) override {
    return executor_.parameter(ref);
  }
  at::Tensor norm(const modules::NormRef& ref, const at::Tensor& x) override {
    return executor_.norm(ref, x);
  }
  at::Tensor embedding(const modules::EmbeddingRef& ref, const at::Tensor& ids) override {
    return executor_.embedding(ref, ids);
  }
  at::Tensor attention(const modules::AttentionRef& ref, const at::Tensor& q, const at::Tensor& k,
                       const at::Tensor& v, const modules::AttentionContext& context) override {
    return executor_.attention(ref, q, k, v, context);
  }
  at::Tensor tap(const modules::Site& site, const at::Tensor& x) override {
    return executor_.tap(site, x);
  }
  void begin(const modules::Stage& stage, const modules::State& state) override {
    executor_.begin(stage, state);
  }
  void end(const modules::Stage& stage, modules::State& state) override {
    executor_.end(stage, state);
    at::Tensor& hidden = state.stream(stage.stream).hidden;
    hidden = corrections_.apply(stage.name, hidden);
  }

 private:
  modules::Executor& executor_;
  const Corrections& corrections_;
};

}  // namespace dualpath::quant
