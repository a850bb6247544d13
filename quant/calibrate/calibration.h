#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "modules/network/network.h"
#include "modules/weights/weight_store.h"
#include "quant/calibrate/activation_scales.h"
#include "quant/calibrate/calibration_samples.h"
#include "quant/calibrate/group_observer.h"
#include "quant/calibrate/smoothing.h"
#include "quant/plan/plan.h"

namespace dualpath::quant {

/// Says what a calibration was made from; given by the caller.
struct CalibrationSource {
  std::string fingerprint;       ///< of model, plan and data
  std::string model_sha256;      ///< of the model alone, for who does not have the data
  std::string tokenizer_sha256;  ///< of tokenizer.json

  bool operator==(const CalibrationSource&) const = default;
};

/// What the observers saw and the scales that follow, by static tensor group.
struct Calibration {
  std::map<std::string, ObservedRange> ranges;            ///< of the transformed model
  std::map<std::string, ModalityRanges> modality_ranges;  ///< the same, by what rows stand for
  /// By TensorGroup::scale_name(): [1] float32 each; made once, then only copied.
  modules::NamedTensors scale_tensors;
  Transforms transforms;  ///< what was found for each of transforms_of(plan)
  /// As scale_tensors, of the model without transforms; empty if the plan has none.
  modules::NamedTensors untransformed_scales;
  CalibrationSource source;

  ActivationScales scales() const { return ActivationScales(scale_tensors); }
  /// Empty if the plan has no folds.
  const Smoothing& smoothing() const;
};

/// Scales and factors of 1: where only what computing costs is asked.
Calibration unit_calibration(const Plan& plan);

/// How often calibrate() runs each window: once, and once more before each transform.
int calibration_passes(const Plan& plan);

/// Runs windows (token ids, each [1, T]) in float, one by one in the order given, so that batch
/// size changes nothing. Called after each run of a window with its tokens. A static site that saw
/// nothing of a modality that it needs is an Error naming both; a plan without any, and without
/// transforms, needs no windows.
Calibration calibrate(const modules::Network& network,
                      std::shared_ptr<const modules::WeightStore> weights,
                      at::TensorOptions options, const Plan& plan,
                      const std::vector<at::Tensor>& windows,
                      const std::function<void(std::int64_t)>& progress);
/// The same of samples of any modality. A search for smoothing's strengths looks at a few windows
/// of a decoder alone, side by side; of a network with towers at the first samples that show each
/// input once.
Calibration calibrate(const modules::Network& network,
                      std::shared_ptr<const modules::WeightStore> weights,
                      at::TensorOptions options, const Plan& plan,
                      const CalibrationSamples& samples,
                      const std::function<void(std::int64_t)>& progress);
/// The same of states that are there.
Calibration calibrate(const modules::Network& network,
                      std::shared_ptr<const modules::WeightStore> weights,
                      at::TensorOptions options, const Plan& plan,
                      const std::vector<modules::State>& samples,
                      const std::function<void(std::int64_t)>& progress);

/// A safetensors file: "<group>.scale" [1], ".min" [1], ".max" [1] float32 and ".count" [1] int64;
/// of a group that saw other than text "<group>.<modality>.min", ".max" and ".count", too, and
/// ".scale" instead of the group's where it has one of its own; with folds "<group>.factors"
/// [channels], ".strength" [1] and ".unsmoothed_scale" [1] float32, too.
void save_calibration(const std::filesystem::path& path, const Calibration& calibration);
/// The source that a calibration's file names, empty where it names none. Reads the header only.
CalibrationSource calibration_file_source(const std::filesystem::path& path);
/// A file that lacks a static group of the plan, or whose checksum is wrong, is an Error naming it.
Calibration load_calibration(const std::filesystem::path& path, const Plan& plan);

}  // namespace dualpath::quant
