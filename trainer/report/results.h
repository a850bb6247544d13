#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "quant/compare/output_sqnr.h"
#include "quant/compare/selection.h"
#include "trainer/train/train_loop.h"

namespace dualpath::trainer {

/// What the runs of trainer/runs result in, beside the calibration (quant::Calibration), the plan
/// (PlanReport) and the table (EvaluationTable).

/// What the observers had to do for a calibration.
struct CalibrationWork {
  std::size_t windows = 0;
  std::size_t sites = 0;  ///< static tensor groups
  double seconds = 0.0;
};

struct TrainingResult {
  LoopResult train = {};
  std::optional<LoopResult> control = {};
  std::vector<quant::SelectedStage> selection = {};
  /// Of the corrections that were kept.
  std::int64_t parameters = 0, correction_bytes = 0;
  std::int64_t peak_resident_bytes = 0;  ///< the most of all processes that trained
};

struct SqnrResult {
  std::size_t windows = 0;
  std::vector<quant::OutputSqnr> linears;  ///< in the plan's order
};

struct ExportResult {
  std::filesystem::path path;         ///< the directory
  std::size_t weight_bytes = 0;       ///< of the tensors in model.safetensors, measured
  std::int64_t correction_bytes = 0;  ///< of the corrections in memory
  double seconds = 0.0;
};

}  // namespace dualpath::trainer
