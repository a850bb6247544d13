#include "quant/calibrate/calibration.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <torch/torch.h>

#include "data/base/error.h"
#include "data/formats/safetensors.h"
#include "quant/calibrate/observe_executor.h"
#include "quant/transform/smoothed_weights.h"

namespace dualpath::quant {
namespace {

constexpr const char *kFingerprint = "dualpath.fingerprint", *kModel = "dualpath.model_sha256",
                     *kTokenizer = "dualpath.tokenizer_sha256";

at::Tensor scalar(float value) { return torch::full({1}, value, torch::kFloat); }

const at::Tensor& entry(const modules::NamedTensors& tensors, const std::string& name,
                        const std::filesystem::path& path) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw Error("{}: {} is missing", path.string(), name);
  return found->second;
}

void observe(const modules::Network& network, const Plan& plan, ObserveExecutor& executor,
             const CalibrationSamples& samples, const std::function<void(std::int64_t)>& progress) {
  const PlannedLinear* head = plan.linear(network.head.ref.name);
  for (std::size_t i = 0; i < samples.count; ++i) {
    modules::State state = samples.state(i);
    modules::run(network, executor, state);
    if (head && head->is_static()) executor.observe(head->group, state.hidden);
    progress(state.ids.defined() ? state.ids.numel() : 1);
  }
}

/// A few windows as long as the first, evenly spaced, side by side.
modules::State side_by_side(const CalibrationSamples& windows) {
  constexpr std::size_t kWindows = 4;
  std::vector<at::Tensor> chosen;
  const std::size_t step = std::max<std::size_t>(1, windows.count / kWindows);
  for (std::size_t i = 0; i < windows.count && chosen.size() < kWindows; i += step) {
    const at::Tensor ids = windows.state(i).ids;
    if (chosen.empty() || ids.sizes() == chosen.front().sizes()) chosen.push_back(ids);
  }
  return modules::make_state(at::cat(chosen));
}

CalibrationSamples searched_of(const modules::Network& network, const CalibrationSamples& samples) {
  if (samples.count == 0 || !network.tower_samples.empty()) return samples;
  return {1, [state = side_by_side(samples)](std::size_t) { return state; }};
}

Calibration calibration_of(const ObserveExecutor& executor, const Plan& plan) {
  Calibration calibration;
  for (const TensorGroup& group : plan.groups) {
    if (group.args.dynamic) continue;
    const GroupObserver& observer = executor.observers().at(group.name);
    calibration.ranges[group.name] = observer.all().range();
    calibration.modality_ranges[group.name] = observer.modality_ranges();
    for (const modules::Modality modality : group.needed()) {
      const Observer* own = observer.of(modality);
      if (!own) throw Error("{}: calibration saw no {}", group.name, name_of(modality));
      const Observer& shown = group.separate.empty() ? observer.all() : *own;
      calibration.scale_tensors[group.scale_name(modality)] =
          scalar(shown.qparams(group.args.num_bits).scale);
    }
  }
  return calibration;
}

void put_range(const std::string& name, const ObservedRange& range,
               modules::NamedTensors& tensors) {
  tensors[name + ".min"] = scalar(range.min);
  tensors[name + ".max"] = scalar(range.max);
  tensors[name + ".count"] = torch::full({1}, range.count, torch::kLong);
}

ObservedRange range_in(const modules::NamedTensors& tensors, const std::string& name,
                       const std::filesystem::path& path) {
  return {entry(tensors, name + ".min", path).item<float>(),
          entry(tensors, name + ".max", path).item<float>(),
          entry(tensors, name + ".count", path).item<std::int64_t>()};
}

std::string of_modality(const std::string& group, modules::Modality modality) {
  return group + "." + std::string(name_of(modality));
}

/// What a file says nothing of was all of the group's own stream.
ModalityRanges modality_ranges_in(const modules::NamedTensors& tensors, const TensorGroup& group,
                                  const std::filesystem::path& path) {
  ModalityRanges ranges;
  for (const auto& [word, modality] : modules::kModalities) {
    const std::string name = of_modality(group.name, modality);
    if (tensors.contains(name + ".count")) ranges[modality] = range_in(tensors, name, path);
  }
  if (ranges.empty()) ranges[group.stream] = range_in(tensors, group.name, path);
  return ranges;
}

bool is_text_alone(const ModalityRanges& ranges) {
  return ranges.size() == 1 && ranges.contains(modules::Modality::kText);
}

void load_smoothing(const modules::NamedTensors& tensors, const std::filesystem::path& path,
                    const Plan& plan, Calibration& calibration) {
  Smoothing& smoothing = calibration.smoothing;
  for (const auto& [group, fold] : plan.folds) {
    smoothing.factors[group] = entry(tensors, group + ".factors", path);
    const auto strength = tensors.find(group + ".strength");
    if (strength != tensors.end()) smoothing.strengths[group] = strength->second.item<double>();
  }
  for (const auto& [group, scale] : calibration.scale_tensors)
    calibration.unsmoothed_scales[group] = entry(tensors, group + ".unsmoothed_scale", path);
}

CalibrationSource source_of(const data::SafetensorsReader& reader) {
  const auto named = [&](const char* key) {
    const auto found = reader.metadata().find(key);
    return found == reader.metadata().end() ? "" : found->second;
  };
  return {named(kFingerprint), named(kModel), named(kTokenizer)};
}

}  // namespace

Calibration unit_calibration(const Plan& plan) {
  Calibration calibration;
  for (const TensorGroup& group : plan.groups) {
    if (group.args.dynamic) continue;
    for (const modules::Modality modality : group.needed())
      calibration.scale_tensors[group.scale_name(modality)] = scalar(1.0f);
  }
  for (const auto& [group, fold] : plan.folds)
    calibration.smoothing.factors[group] = torch::ones({fold.channels});
  return calibration;
}

int calibration_passes(const Plan& plan) { return plan.folds.empty() ? 1 : 2; }

Calibration calibrate(const modules::Network& network,
                      std::shared_ptr<const modules::WeightStore> weights, at::ScalarType dtype,
                      const Plan& plan, const std::vector<at::Tensor>& windows,
                      const std::function<void(std::int64_t)>& progress) {
  const auto state = [&](std::size_t i) { return modules::make_state(windows[i]); };
  return calibrate(network, std::move(weights), dtype, plan,
                   CalibrationSamples{windows.size(), state}, progress);
}

Calibration calibrate(const modules::Network& network,
                      std::shared_ptr<const modules::WeightStore> weights, at::ScalarType dtype,
                      const Plan& plan, const std::vector<modules::State>& samples,
                      const std::function<void(std::int64_t)>& progress) {
  const auto state = [&](std::size_t i) { return samples[i]; };
  return calibrate(network, std::move(weights), dtype, plan,
                   CalibrationSamples{samples.size(), state}, progress);
}

Calibration calibrate(const modules::Network& network,
                      std::shared_ptr<const modules::WeightStore> weights, at::ScalarType dtype,
                      const Plan& plan, const CalibrationSamples& samples,
                      const std::function<void(std::int64_t)>& progress) {
  const torch::NoGradGuard no_grad;
  auto plain = std::make_unique<ObserveExecutor>(weights, dtype, plan);
  observe(network, plan, *plain, samples, progress);
  Calibration calibration = calibration_of(*plain, plan);
  if (plan.folds.empty()) return calibration;
  const auto channel_ranges = plain->channel_ranges();
  plain.reset();  // with the weights that it packed
  Smoothing smoothing =
      find_smoothing(network, weights, dtype, plan, channel_ranges, searched_of(network, samples));
  ObserveExecutor executor(smoothed(weights, plan, smoothing.factors), dtype, plan);
  observe(network, plan, executor, samples, progress);
  Calibration result = calibration_of(executor, plan);
  result.smoothing = std::move(smoothing);
  result.unsmoothed_scales = std::move(calibration.scale_tensors);
  return result;
}

void save_calibration(const std::filesystem::path& path, const Calibration& calibration) {
  modules::NamedTensors tensors;
  for (const auto& [name, scale] : calibration.scale_tensors) tensors[name + ".scale"] = scale;
  for (const auto& [group, range] : calibration.ranges) put_range(group, range, tensors);
  for (const auto& [group, ranges] : calibration.modality_ranges) {
    if (is_text_alone(ranges)) continue;
    for (const auto& [modality, range] : ranges)
      put_range(of_modality(group, modality), range, tensors);
  }
  for (const auto& [group, factors] : calibration.smoothing.factors)
    tensors[group + ".factors"] = factors;
  for (const auto& [group, strength] : calibration.smoothing.strengths)
    tensors[group + ".strength"] = scalar(static_cast<float>(strength));
  for (const auto& [group, scale] : calibration.unsmoothed_scales)
    tensors[group + ".unsmoothed_scale"] = scale;
  const auto& [fingerprint, model_sha256, tokenizer_sha256] = calibration.source;
  modules::write_tensors(
      path, tensors,
      {{kFingerprint, fingerprint}, {kModel, model_sha256}, {kTokenizer, tokenizer_sha256}});
}

CalibrationSource calibration_file_source(const std::filesystem::path& path) {
  return source_of(data::SafetensorsReader(path));
}

Calibration load_calibration(const std::filesystem::path& path, const Plan& plan) {
  const data::SafetensorsReader reader(path);
  const modules::NamedTensors tensors = modules::read_tensors(reader);
  Calibration calibration;
  calibration.source = source_of(reader);
  for (const TensorGroup& group : plan.groups) {
    if (group.args.dynamic) continue;
    for (const modules::Modality modality : group.needed()) {
      const std::string name = group.scale_name(modality);
      calibration.scale_tensors[name] = entry(tensors, name + ".scale", path);
    }
    calibration.ranges[group.name] = range_in(tensors, group.name, path);
    calibration.modality_ranges[group.name] = modality_ranges_in(tensors, group, path);
  }
  if (!plan.folds.empty()) load_smoothing(tensors, path, plan, calibration);
  return calibration;
}

}  // namespace dualpath::quant
