#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "modules/config/modality.h"
#include "quant/compare/output_sqnr.h"
#include "quant/compare/selection.h"
#include "trainer/train/ctc_objective.h"
#include "trainer/train/train_loop.h"

namespace dualpath::trainer {

/// Results of the runs in trainer/runs. Further results are the calibration (quant::Calibration),
/// the plan (PlanReport) and the table (EvaluationTable).

/// The work of the observers for a calibration.
struct CalibrationWork {
  std::size_t windows = 0;
  /// The windows with pictures, those with clips, and those of text alone.
  std::map<modules::Modality, std::size_t> samples = {};
  std::size_t sites = 0;  ///< static tensor groups
  double seconds = 0.0;
};

/// A block of a run that is trained block by block.
struct BlockResult {
  std::string name;
  LoopResult train;
};

struct TrainingResult {
  Strategy strategy = Strategy::kEndToEnd;
  std::vector<BlockResult> blocks = {};  ///< that have something to train, in order
  LoopResult train = {};
  std::optional<LoopResult> control = {};
  std::vector<quant::SelectedStage> selection = {};
  std::optional<CtcErrors> ctc = {};  ///< on the selection part, with loss.ctc
  /// The sizes of the corrections that were kept.
  std::int64_t parameters = 0, correction_bytes = 0;
  std::int64_t peak_resident_bytes = 0;  ///< the highest peak of all processes that trained
  std::optional<std::int64_t> peak_device_bytes = {};  ///< on a GPU: the same of its memory
};

struct SqnrResult {
  std::size_t windows = 0;
  std::vector<quant::OutputSqnr> linears;  ///< in the plan's order
};

struct ExportResult {
  std::filesystem::path path;         ///< the directory
  std::size_t weight_bytes = 0;       ///< bytes of the tensors in model.safetensors, measured
  std::int64_t correction_bytes = 0;  ///< bytes of the corrections in memory
  double seconds = 0.0;
};

}  // namespace dualpath::trainer
