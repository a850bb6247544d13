#include "quant/calibrate/calibration.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <torch/torch.h>

#include <algorithm>
#include <stdexcept>

#include "data/base/error.h"
#include "data/formats/safetensors.h"
#include "modules/network/sweep.h"
#include "quant/calibrate/observe_executor.h"
#include "quant/calibrate/smoothing.h"

namespace dualpath::quant {
namespace {

constexpr const char *kFingerprint = "dualpath.fingerprint", *kModel = "dualpath.model_sha256",
                     *kTokenizer = "dualpath.tokenizer_sha256";
/// The suffix that files have had since smoothing was the only transform.
constexpr const char* kUntransformed = ".unsmoothed_scale";

at::Tensor scalar(float value) { return torch::full({1}, value, torch::kFloat); }

const at::Tensor& entry(const modules::NamedTensors& tensors, const std::string& name,
                        const std::filesystem::path& path) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw Error("{}: {} is missing", path.string(), name);
  return found->second;
}

void observe(const modules::Network& network, const Plan& plan, ObserveExecutor& executor,
             const CalibrationSamples& samples, const std::optional<CalibrationShare>& share,
             const std::function<void()>& progress) {
  const PlannedLinear* head = plan.linear(network.head.ref.name);
  const modules::Stage& last = network.stages.back();
  const std::size_t begin = share ? share->begin : 0, end = share ? share->end : samples.count;
  const auto runs = [&](const modules::Stage& stage, const modules::State& state) {
    return samples.runs(stage, state);
  };
  for (std::size_t first = begin; first < end; first += modules::kSwept) {
    std::vector<modules::State> states;
    for (std::size_t i = first; i < std::min(end, first + modules::kSwept); ++i)
      states.push_back(samples.state(i));
    modules::sweep(network, executor, states, runs, progress);
    for (const modules::State& state : states) {
      if (!head || !head->is_static() || !runs(last, state)) continue;
      executor.begin(last, state);
      executor.observe(head->group, state.hidden);
    }
  }
  if (share) executor.replace(share->gather(executor.seen()));
}

/// Joins a few windows, evenly spaced and as long as the first, into one batch.
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

Transform find(TransformKind kind, const modules::Network& network,
               const std::shared_ptr<const modules::WeightStore>& weights,
               at::TensorOptions options, const Plan& plan,
               const modules::NamedTensors& channel_ranges, const CalibrationSamples& searched) {
  switch (kind) {
    case TransformKind::kSmoothing:
      return find_smoothing(network, weights, options, plan, channel_ranges, searched);
  }
  throw std::logic_error("a transform that nothing finds");
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

/// Reads a group's ranges by modality. If the file names none, all rows were of the group's own
/// stream.
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

/// Puts a transform's tensors into a calibration's file.
void put(const Smoothing& smoothing, modules::NamedTensors& tensors) {
  for (const auto& [group, factors] : smoothing.factors) tensors[group + ".factors"] = factors;
  for (const auto& [group, strength] : smoothing.strengths)
    tensors[group + ".strength"] = scalar(static_cast<float>(strength));
}

Smoothing smoothing_in(const modules::NamedTensors& tensors, const std::filesystem::path& path,
                       const Plan& plan) {
  Smoothing smoothing;
  for (const auto& [group, fold] : plan.folds) {
    smoothing.factors[group] = entry(tensors, group + ".factors", path);
    const auto strength = tensors.find(group + ".strength");
    if (strength != tensors.end()) smoothing.strengths[group] = strength->second.item<double>();
  }
  return smoothing;
}

Transform transform_in(TransformKind kind, const modules::NamedTensors& tensors,
                       const std::filesystem::path& path, const Plan& plan) {
  switch (kind) {
    case TransformKind::kSmoothing:
      return smoothing_in(tensors, path, plan);
  }
  throw std::logic_error("a transform that nothing reads");
}

Smoothing unit_smoothing(const Plan& plan) {
  Smoothing smoothing;
  for (const auto& [group, fold] : plan.folds)
    smoothing.factors[group] = torch::ones({fold.channels});
  return smoothing;
}

/// A transform that changes nothing.
Transform unit_transform(TransformKind kind, const Plan& plan) {
  switch (kind) {
    case TransformKind::kSmoothing:
      return unit_smoothing(plan);
  }
  throw std::logic_error("a transform without a unit");
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
  for (const TransformKind kind : transforms_of(plan))
    calibration.transforms.push_back(unit_transform(kind, plan));
  if (!calibration.transforms.empty()) calibration.untransformed_scales = calibration.scale_tensors;
  return calibration;
}

const Smoothing& Calibration::smoothing() const {
  static const Smoothing none;
  for (const Transform& transform : transforms) {
    if (const auto* found = std::get_if<Smoothing>(&transform)) return *found;
  }
  return none;
}

int calibration_passes(const Plan& plan) {
  return 1 + static_cast<int>(transforms_of(plan).size());
}

Calibration calibrate(const modules::Network& network,
                      std::shared_ptr<const modules::WeightStore> weights,
                      at::TensorOptions options, const Plan& plan,
                      const std::vector<at::Tensor>& windows,
                      const std::function<void()>& progress) {
  const auto state = [&](std::size_t i) { return modules::make_state(windows[i]); };
  return calibrate(network, std::move(weights), options, plan,
                   CalibrationSamples{windows.size(), state}, progress);
}

Calibration calibrate(const modules::Network& network,
                      std::shared_ptr<const modules::WeightStore> weights,
                      at::TensorOptions options, const Plan& plan,
                      const std::vector<modules::State>& samples,
                      const std::function<void()>& progress) {
  const auto state = [&](std::size_t i) { return samples[i]; };
  return calibrate(network, std::move(weights), options, plan,
                   CalibrationSamples{samples.size(), state}, progress);
}

Calibration calibrate(const modules::Network& network,
                      std::shared_ptr<const modules::WeightStore> weights,
                      at::TensorOptions options, const Plan& plan,
                      const CalibrationSamples& samples, const std::function<void()>& progress,
                      const std::optional<CalibrationShare>& share) {
  const torch::NoGradGuard no_grad;
  Transforms transforms;
  modules::NamedTensors untransformed_scales;
  for (const TransformKind kind : transforms_of(plan)) {
    const auto below = transformed(weights, plan, transforms);
    auto executor = std::make_unique<ObserveExecutor>(below, options, plan);
    observe(network, plan, *executor, samples, share, progress);
    if (transforms.empty()) untransformed_scales = calibration_of(*executor, plan).scale_tensors;
    const auto channel_ranges = executor->channel_ranges();
    executor.reset();  // frees the weights it prepared, too
    transforms.push_back(
        find(kind, network, below, options, plan, channel_ranges, searched_of(network, samples)));
  }
  ObserveExecutor executor(transformed(weights, plan, transforms), options, plan);
  observe(network, plan, executor, samples, share, progress);
  Calibration calibration = calibration_of(executor, plan);
  calibration.transforms = std::move(transforms);
  calibration.untransformed_scales = std::move(untransformed_scales);
  return calibration;
}

modules::NamedTensors calibration_tensors(const Calibration& calibration) {
  modules::NamedTensors tensors;
  for (const auto& [name, scale] : calibration.scale_tensors) tensors[name + ".scale"] = scale;
  for (const auto& [group, range] : calibration.ranges) put_range(group, range, tensors);
  for (const auto& [group, ranges] : calibration.modality_ranges) {
    if (is_text_alone(ranges)) continue;
    for (const auto& [modality, range] : ranges)
      put_range(of_modality(group, modality), range, tensors);
  }
  for (const Transform& transform : calibration.transforms)
    std::visit([&](const auto& found) { put(found, tensors); }, transform);
  for (const auto& [name, scale] : calibration.untransformed_scales)
    tensors[name + kUntransformed] = scale;
  return tensors;
}

void save_calibration(const std::filesystem::path& path, const Calibration& calibration) {
  const auto& [fingerprint, model_sha256, tokenizer_sha256] = calibration.source;
  modules::write_tensors(
      path, calibration_tensors(calibration),
      {{kFingerprint, fingerprint}, {kModel, model_sha256}, {kTokenizer, tokenizer_sha256}});
}

CalibrationSource calibration_file_source(const std::filesystem::path& path) {
  return source_of(data::SafetensorsReader(path));
}

Calibration load_calibration(const std::filesystem::path& path, const Plan& plan) {
  const data::SafetensorsReader reader(path);
  Calibration calibration = calibration_in(modules::read_tensors(reader), plan, path);
  calibration.source = source_of(reader);
  return calibration;
}

Calibration calibration_in(const modules::NamedTensors& tensors, const Plan& plan,
                           const std::filesystem::path& path) {
  Calibration calibration;
  for (const TensorGroup& group : plan.groups) {
    if (group.args.dynamic) continue;
    for (const modules::Modality modality : group.needed()) {
      const std::string name = group.scale_name(modality);
      calibration.scale_tensors[name] = entry(tensors, name + ".scale", path);
    }
    calibration.ranges[group.name] = range_in(tensors, group.name, path);
    calibration.modality_ranges[group.name] = modality_ranges_in(tensors, group, path);
  }
  for (const TransformKind kind : transforms_of(plan))
    calibration.transforms.push_back(transform_in(kind, tensors, path, plan));
  if (calibration.transforms.empty()) return calibration;
  for (const auto& [name, scale] : calibration.scale_tensors)
    calibration.untransformed_scales[name] = entry(tensors, name + kUntransformed, path);
  return calibration;
}

}  // namespace dualpath::quant
