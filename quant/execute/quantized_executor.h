#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "modules/execute/compute_weights.h"
#include "modules/execute/float_executor.h"
#include "quant/calibrate/activation_scales.h"
#include "quant/execute/quantized_group.h"
#include "quant/plan/plan.h"
#include "quant/stored/code_store.h"

namespace dualpath::quant {

/// The product that a planned weight is prepared for on `device`. kCodes if `compute` asks for no
/// kernel, if there is none, or if the input stays in float.
WeightKind kind_of(const PlannedLinear& linear, Compute compute, at::Device device);

/// Computes planned linears in integers: exact codes, exact int32 sums, scaled as a device scales
/// them. If only the weight is quantized, it multiplies in float by the weight's values. All else
/// is in float. `compute` picks the kernel; the bits are the same. Weights are prepared when first
/// met, trained ones again when they have changed since. Gradients are float's unless
/// input_gradients says otherwise.
class QuantizedExecutor : public modules::FloatExecutor {
 public:
  /// options: the dtype and the device, where scales and codes lie, too. plan and scales must
  /// outlive the executor. codes: over the store that `weights` reads. If null, the executor has a
  /// CodeStore of its own.
  QuantizedExecutor(std::shared_ptr<const modules::WeightStore> weights, at::TensorOptions options,
                    const Plan& plan, const ActivationScales& scales,
                    Compute compute = Compute::kInteger,
                    InputGradients input_gradients = InputGradients::kFloat,
                    std::shared_ptr<CodeStore> codes = nullptr)
      : QuantizedExecutor(std::make_shared<modules::ComputeWeights>(std::move(weights), options),
                          plan, scales, compute, input_gradients, std::move(codes)) {}
  QuantizedExecutor(std::shared_ptr<modules::ComputeWeights> weights, const Plan& plan,
                    const ActivationScales& scales, Compute compute = Compute::kInteger,
                    InputGradients input_gradients = InputGradients::kFloat,
                    std::shared_ptr<CodeStore> codes = nullptr);

  std::vector<at::Tensor> linear(const modules::LinearRefs& refs, const at::Tensor& x) override;
  using FloatExecutor::linear;
  /// Normalizes and quantizes in one kernel, unless the norm's weight or the scale is trained, or
  /// each token has a scale of its own.
  std::vector<at::Tensor> norm_linear(const modules::NormRef& norm_ref,
                                      const modules::LinearRefs& refs,
                                      const at::Tensor& x) override;
  /// Returns values of codes for a table that is also a planned head's.
  at::Tensor embedding(const modules::EmbeddingRef& ref, const at::Tensor& ids) override;
  at::Tensor conv(const modules::ConvRef& ref, const at::Tensor& x) override;
  void begin(const modules::Stage& stage, const modules::State& state) override;
  /// Keeps the codes of keys and values in a cache.
  at::Tensor attention(const modules::AttentionRef& ref, const at::Tensor& q, const at::Tensor& k,
                       const at::Tensor& v, const modules::AttentionContext& context) override;
  void release() override;

 private:
  /// The planned linear, or null if it stays in float.
  const PlannedLinear* planned(const modules::LinearRef& ref) const;
  /// Number of linears from `first` on that are quantized alike, or not at all.
  std::size_t alike(const modules::LinearRefs& refs, std::size_t first) const;
  std::vector<at::Tensor> linear_alike(const modules::LinearRefs& refs, const at::Tensor& x);
  /// Calls of_rows(rows, scale) on all rows of x if they share the group's scale, else on each
  /// modality's rows.
  std::vector<at::Tensor> by_scale(
      const std::string& group, const at::Tensor& x,
      const std::function<std::vector<at::Tensor>(const at::Tensor&, const at::Tensor&)>& of_rows);
  /// A tensor group's current weights. refs must be the same at each call.
  const std::shared_ptr<QuantizedGroup>& weights_of(const std::string& group,
                                                    const modules::LinearRefs& refs);
  std::shared_ptr<QuantizedGroup> first_weights(const std::string& group,
                                                const modules::LinearRefs& refs) const;
  void refresh(QuantizedGroup& group, const modules::LinearRefs& refs);

  /// A convolution's codes and bias, both frozen.
  struct ConvWeight {
    GridWeight grid;
    at::Tensor bias;
  };
  const ConvWeight& conv_weight(const PlannedConv& conv);

  std::map<std::string, const PlannedLinear*> planned_;    // by linear
  std::map<std::string, const PlannedLinear*> by_weight_;  // by the stored weight
  std::map<std::string, const PlannedConv*> convs_;
  std::map<std::string, ConvWeight> conv_weights_;
  std::map<std::string, const PlannedAttention*> attentions_;
  std::map<std::string, const TensorGroup*> separate_;  // groups with a scale a modality
  at::Tensor kinds_;                // on the host: of the decoder's positions at the stage's begin
  const ActivationScales& scales_;  // static groups' scales
  Compute compute_;
  InputGradients input_gradients_;
  std::shared_ptr<CodeStore> codes_;
  std::map<std::string, std::shared_ptr<QuantizedGroup>> groups_;
};

}  // namespace dualpath::quant
