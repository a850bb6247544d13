#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "modules/correction/corrections.h"
#include "modules/model/model.h"
#include "quant/calibrate/activation_scales.h"
#include "quant/plan/plan.h"
#include "quant/stored/code_store.h"

namespace dualpath::quant {

/// The parts of a run that an export is made from. Nothing is recomputed: scales are copied, and
/// codes are those that the run computed with.
struct ExportSource {
  const modules::Model& model;
  CodeStore& codes;      ///< the run's, over the trained overlay over the model's own weights
  at::ScalarType dtype;  ///< the run's compute dtype
  const Plan& plan;
  const QuantizeOptions& options;
  const ActivationScales& scales;
  const modules::Corrections& corrections;
  modules::CorrectionOptions correction_options;
  nlohmann::json provenance;  ///< content for dualpath.json: recipe, versions, hashes, figures
  ExportFormat format = ExportFormat::kCompressedTensors;
};

/// Writes a Hugging Face directory in compressed-tensors' format, whole or not at all. The format
/// is int-quantized, pack-quantized, or mixed-precision if it holds weights of both kinds.
///   config.json (with quantization_config), model.safetensors, the source's other files byte for
///   byte, correction.safetensors, correction.json, dualpath.json
/// If nothing is quantized, it is the float model, without the configuration and corrections.
/// A scheme that source.format has no word for is an Error before anything is written. progress:
/// called with 1 after each weight.
void export_model(const std::filesystem::path& directory, const ExportSource& source,
                  const std::function<void(std::int64_t)>& progress);

/// An export opened again, ready for a QuantizedExecutor over model.weights.
struct ExportedModel {
  Plan plan;
  ActivationScales scales;
  modules::Corrections corrections;
};

/// Opens an export, with scales and corrections on the device. model: a model with
/// model.is_quantized(). Files whose checksum in dualpath.json differs are an Error naming them.
ExportedModel open_export(const modules::Model& model, at::Device device = at::kCPU);

}  // namespace dualpath::quant
