#include "quant/calibrate/activation_scales.h"

#include <torch/torch.h>

namespace dualpath::quant {

ActivationScales::ActivationScales(const modules::NamedTensors& scales, at::Device device) {
  for (const auto& [group, scale] : scales) scales_[group] = scale.to(device);
}

torch::Tensor ActivationScales::get(const std::string& group) const {
  const auto trained = log_scales_.find(group);
  if (trained != log_scales_.end()) return trained->second.exp();
  const auto scale = scales_.find(group);
  TORCH_CHECK(scale != scales_.end(), group, " has no scale");
  return scale->second;
}

void ActivationScales::make_trainable() {
  for (const auto& [group, scale] : scales_)
    log_scales_[group] = scale.cpu().log().to(scale.device()).detach().requires_grad_();
  scales_.clear();
}

ActivationScales ActivationScales::on_host() const {
  ActivationScales host;
  for (const auto& [group, scale] : scales_) host.scales_[group] = scale.cpu();
  for (const auto& [group, log_scale] : log_scales_)
    host.scales_[group] = log_scale.detach().cpu().exp();
  return host;
}

modules::NamedTensors ActivationScales::parameters() const {
  modules::NamedTensors parameters;
  for (const auto& [group, log_scale] : log_scales_) parameters[group + ".log_scale"] = log_scale;
  return parameters;
}

torch::Tensor head_scales(const ActivationScales& scales, const std::vector<std::string>& groups) {
  std::vector<torch::Tensor> each;
  for (const std::string& group : groups) each.push_back(scales.get(group));
  return at::cat(each).view({-1, 1, 1});
}

}  // namespace dualpath::quant
