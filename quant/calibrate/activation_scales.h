#pragma once

#include <torch/types.h>

#include <map>
#include <string>
#include <vector>

#include "modules/weights/tensor_view.h"

namespace dualpath::quant {

/// The static scales of tensor groups' inputs: one a group, or one a modality; [1] float32 each.
/// They come from a calibration or an export; nothing recomputes them. When trained, log(scale) is
/// the parameter, so that a step is relative and a scale stays positive.
class ActivationScales {
 public:
  ActivationScales() = default;
  /// Puts the scales on a device.
  explicit ActivationScales(const modules::NamedTensors& scales, at::Device device = at::kCPU);

  /// Returns a scale by TensorGroup::scale_name(). It is differentiable in the parameter if scales
  /// are trained.
  torch::Tensor get(const std::string& group) const;
  bool contains(const std::string& group) const {
    return scales_.contains(group) || log_scales_.contains(group);
  }
  /// Turns every scale into a parameter.
  void make_trainable();
  bool are_trained() const { return !log_scales_.empty(); }
  /// The scales as files hold them: frozen, on the CPU, with the same bits whatever the device.
  ActivationScales on_host() const;
  /// The parameters, "<group>.log_scale"; empty unless trainable.
  modules::NamedTensors parameters() const;

 private:
  std::map<std::string, torch::Tensor> scales_, log_scales_;
};

/// Returns the scales of an operand's heads, by their tensor groups: [heads, 1, 1] float32. They
/// are differentiable if scales are trained.
torch::Tensor head_scales(const ActivationScales& scales, const std::vector<std::string>& groups);

}  // namespace dualpath::quant
