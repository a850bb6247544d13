#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "modules/execute/float_executor.h"
#include "modules/weights/tensor_view.h"
#include "quant/calibrate/group_observer.h"
#include "quant/calibrate/position_rows.h"
#include "quant/plan/plan.h"

namespace dualpath::quant {

/// Runs in float and shows each static tensor group to its observer; for the plan's folds it looks
/// at each channel. Padding is never shown, nor is a stage that is recomputed. An encoder's rows
/// are of its modality; the decoder's are of the modality that their positions stand for.
class ObserveExecutor : public modules::FloatExecutor {
 public:
  ObserveExecutor(std::shared_ptr<const modules::WeightStore> weights, at::TensorOptions options,
                  const Plan& plan);  // must outlive the executor

  void begin(const modules::Stage& stage, const modules::State& state) override;
  /// Computes in float. A value that is not finite is an Error naming the site.
  std::vector<at::Tensor> linear(const modules::LinearRefs& refs, const at::Tensor& x) override;
  using FloatExecutor::linear;
  /// Computes in float. Shows padding, too, since towers clear it before they convolve.
  at::Tensor conv(const modules::ConvRef& ref, const at::Tensor& x) override;
  at::Tensor attention(const modules::AttentionRef& ref, const at::Tensor& q, const at::Tensor& k,
                       const at::Tensor& v, const modules::AttentionContext& context) override;

  /// Returns what all observers saw and the channels' ranges, by name.
  modules::NamedTensors seen() const;
  /// Forgets what it saw and takes in the shards, of the same plan, in their order: see
  /// Observer::add().
  void replace(const std::vector<modules::NamedTensors>& shards);

  /// The observers by group name.
  const std::map<std::string, GroupObserver>& observers() const { return observers_; }
  /// The largest magnitude in each channel, [inputs] float32 on the CPU, by the fold's tensor
  /// group.
  modules::NamedTensors channel_ranges() const;

  /// Shows x, [..., C], to the site's observer as if a linear read it.
  void observe(const std::string& site, const at::Tensor& x);

 private:
  void observe(const std::string& site, const at::Tensor& x,
               const std::vector<ModalityRows>& counted);
  void clear();
  void observe_heads(const std::vector<std::string>& groups, const at::Tensor& x);

  const Plan& plan_;
  std::map<std::string, GroupObserver> observers_;
  modules::NamedTensors channel_ranges_;
  // State of the running stage, which may change masks on the way; null if nothing is observed.
  const modules::State* state_ = nullptr;
  modules::Modality stream_ = modules::Modality::kText;  // the running stage's stream
};

}  // namespace dualpath::quant
