#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "modules/network/network.h"
#include "modules/weights/weight_store.h"
#include "quant/calibrate/activation_scales.h"
#include "quant/calibrate/calibration_samples.h"
#include "quant/calibrate/group_observer.h"
#include "quant/plan/plan.h"
#include "quant/transform/transform.h"

namespace dualpath::quant {

/// The origin of a calibration; the caller gives it.
struct CalibrationSource {
  std::string fingerprint;       ///< covers model, plan and data
  std::string model_sha256;      ///< covers the model alone, for users without the data
  std::string tokenizer_sha256;  ///< SHA-256 of tokenizer.json

  bool operator==(const CalibrationSource&) const = default;
};

/// The ranges that observers saw and the scales that follow, by static tensor group.
struct Calibration {
  std::map<std::string, ObservedRange> ranges;  ///< ranges in the transformed model
  /// `ranges` divided by the rows' modality.
  std::map<std::string, ModalityRanges> modality_ranges;
  /// The scales by TensorGroup::scale_name(): [1] float32 each. Made once, then only copied.
  modules::NamedTensors scale_tensors;
  Transforms transforms;  ///< the findings, one for each of transforms_of(plan)
  /// The scales of the model without transforms, like scale_tensors. Empty if the plan has none.
  modules::NamedTensors untransformed_scales;
  CalibrationSource source;

  ActivationScales scales(at::Device device = at::kCPU) const {
    return ActivationScales(scale_tensors, device);
  }
  /// Smoothing's findings; empty if the plan has no folds.
  const Smoothing& smoothing() const;
};

/// A calibration of scales and factors of 1, for measuring what computing costs.
Calibration unit_calibration(const Plan& plan);

/// The number of times calibrate() runs each window: once, and once more before each transform.
int calibration_passes(const Plan& plan);

/// Runs windows (token ids, each [1, T]) in float, a stage on several windows before the next stage
/// (see modules::sweep()), so that memory holds the weights of one. Every site sees them alone and
/// in the order given, so batch size changes nothing. `progress` is called after each stage of each
/// window. A static site that saw nothing of a modality that it needs is an Error naming both. A
/// plan without static sites and transforms needs no windows.
Calibration calibrate(const modules::Network& network,
                      std::shared_ptr<const modules::WeightStore> weights,
                      at::TensorOptions options, const Plan& plan,
                      const std::vector<at::Tensor>& windows,
                      const std::function<void()>& progress);
/// Calibrates likewise on samples of any modality. The search for smoothing's strengths looks at a
/// few windows side by side, if the network is a decoder alone. In a network with towers it looks
/// at the first samples that show each input once. share: this process's part, if several share the
/// work; the bits are those of one process.
Calibration calibrate(const modules::Network& network,
                      std::shared_ptr<const modules::WeightStore> weights,
                      at::TensorOptions options, const Plan& plan,
                      const CalibrationSamples& samples, const std::function<void()>& progress,
                      const std::optional<CalibrationShare>& share = std::nullopt);
/// Calibrates likewise on states that exist already.
Calibration calibrate(const modules::Network& network,
                      std::shared_ptr<const modules::WeightStore> weights,
                      at::TensorOptions options, const Plan& plan,
                      const std::vector<modules::State>& samples,
                      const std::function<void()>& progress);

/// Writes a safetensors file. Each group has "<group>.scale" [1], ".min" [1], ".max" [1] float32
/// and ".count" [1] int64. A group that saw more than text also has "<group>.<modality>.min",
/// ".max" and ".count". If a modality has a scale of its own, "<group>.<modality>.scale" takes the
/// place of the group's. With folds there are also "<group>.factors" [channels], ".strength" [1]
/// and ".unsmoothed_scale" [1] float32.
void save_calibration(const std::filesystem::path& path, const Calibration& calibration);
/// The tensors of that file.
modules::NamedTensors calibration_tensors(const Calibration& calibration);
/// Reads the source that a calibration's file names; its fields are empty if it names none. Reads
/// the header only.
CalibrationSource calibration_file_source(const std::filesystem::path& path);
/// Reads a calibration. A file that lacks a static group of the plan, or whose checksum is wrong,
/// is an Error naming it.
Calibration load_calibration(const std::filesystem::path& path, const Plan& plan);
/// Makes a calibration of a file's tensors, without a source. path: the file, for errors.
Calibration calibration_in(const modules::NamedTensors& tensors, const Plan& plan,
                           const std::filesystem::path& path);

}  // namespace dualpath::quant
