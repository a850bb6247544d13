#pragma once

#include <memory>
#include <string>
#include <vector>

#include "modules/config/model_config.h"
#include "quant/execute/quantized_executor.h"
#include "trainer/evaluate/row.h"
#include "trainer/experiment/experiment.h"
#include "trainer/experiment/trained_paths.h"

namespace dualpath::trainer {

/// The name of a part of a model, as an evaluation by part shows it: a tower's or an alignment's
/// module path ("vision_tower", "audio_alignment"), or "language_model" for all else.
std::string part_of(const std::string& module, const modules::ModelConfig& config);

/// The rows of an evaluation by part: fp, then one for each part of the model that is quantized
/// alone, by the run's calibration and before any training. Transforms (smoothing) change that
/// part's weights alone.
class PartRows {
 public:
  /// Both arguments must outlive the rows.
  PartRows(const Experiment& experiment, const TrainedPaths& paths);
  // Not copied, since the rows refer to the members beside them.
  PartRows(const PartRows&) = delete;
  PartRows& operator=(const PartRows&) = delete;

  const std::vector<Row>& rows() const { return rows_; }

 private:
  /// The plan that quantizes one part alone, and what computes it.
  struct Part {
    quant::Plan plan;
    std::unique_ptr<quant::QuantizedExecutor> executor;
  };

  quant::ActivationScales scales_;
  std::vector<std::unique_ptr<Part>> parts_;
  std::vector<Row> rows_;
};

}  // namespace dualpath::trainer
