#include "quant/calibration.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <torch/torch.h>

#include "data/base/error.h"
#include "data/formats/safetensors.h"
#include "quant/observe_executor.h"

namespace dualpath::quant {
namespace {

constexpr const char* kFingerprint = "dualpath.fingerprint";

at::Tensor scalar(float value) { return torch::full({1}, value, torch::kFloat); }

const at::Tensor& entry(const modules::NamedTensors& tensors, const std::string& name,
                        const std::filesystem::path& path) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw Error("{}: {} is missing", path.string(), name);
  return found->second;
}

std::string fingerprint_of(const data::SafetensorsReader& reader) {
  const auto found = reader.metadata().find(kFingerprint);
  return found == reader.metadata().end() ? "" : found->second;
}

}  // namespace

Calibration calibrate(const modules::Network& network,
                      std::shared_ptr<const modules::WeightStore> weights, at::ScalarType dtype,
                      const Plan& plan, const std::vector<at::Tensor>& windows,
                      const std::function<void(std::int64_t)>& progress) {
  const torch::NoGradGuard no_grad;
  ObserveExecutor executor(std::move(weights), dtype, plan);
  for (const at::Tensor& ids : windows) {
    modules::State state = modules::make_state(ids);
    modules::run(network, executor, state);
    progress(ids.numel());
  }
  Calibration calibration;
  for (const auto& [group, observer] : executor.observers()) {
    if (observer->range().count == 0) throw Error("{}: calibration saw no value", group);
    calibration.ranges[group] = observer->range();
    calibration.scale_tensors[group] = scalar(activation_scale(observer->range()));
  }
  return calibration;
}

void save_calibration(const std::filesystem::path& path, const Calibration& calibration) {
  modules::NamedTensors tensors;
  for (const auto& [group, range] : calibration.ranges) {
    tensors[group + ".scale"] = calibration.scale_tensors.at(group);
    tensors[group + ".min"] = scalar(range.min);
    tensors[group + ".max"] = scalar(range.max);
    tensors[group + ".count"] = torch::full({1}, range.count, torch::kLong);
  }
  modules::write_tensors(path, tensors, {{kFingerprint, calibration.fingerprint}});
}

std::string calibration_file_fingerprint(const std::filesystem::path& path) {
  return fingerprint_of(data::SafetensorsReader(path));
}

Calibration load_calibration(const std::filesystem::path& path, const Plan& plan) {
  const data::SafetensorsReader reader(path);
  const modules::NamedTensors tensors = modules::read_tensors(reader);
  Calibration calibration;
  calibration.fingerprint = fingerprint_of(reader);
  for (const TensorGroup& group : plan.groups) {
    if (group.args.dynamic) continue;
    calibration.scale_tensors[group.name] = entry(tensors, group.name + ".scale", path);
    calibration.ranges[group.name] = {
        entry(tensors, group.name + ".min", path).item<float>(),
        entry(tensors, group.name + ".max", path).item<float>(),
        entry(tensors, group.name + ".count", path).item<std::int64_t>()};
  }
  return calibration;
}

}  // namespace dualpath::quant
