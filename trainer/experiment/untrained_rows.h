#pragma once

#include <string>
#include <vector>

#include "modules/execute/float_executor.h"
#include "quant/calibrate/calibration.h"
#include "trainer/evaluate/evaluated_row.h"
#include "trainer/experiment/experiment.h"

namespace dualpath::trainer {

/// The quantized model before anything of it is trained (which may be scales and norms, too), as it
/// is and, if the plan has folds, smoothed.
class UntrainedRows {
 public:
  /// All three must outlive it.
  UntrainedRows(const Experiment& experiment, const quant::Calibration& calibration,
                const modules::FloatExecutor& reference);
  UntrainedRows(const UntrainedRows&) = delete;  // the executors refer to the members beside them
  UntrainedRows& operator=(const UntrainedRows&) = delete;

  std::vector<EvaluatedRow> rows();

 private:
  std::string prefix_;  // of rows over transformed weights; empty: the plan has no transform
  quant::ActivationScales scales_, smoothed_scales_;
  quant::QuantizedExecutor executor_, smoothed_;
};

}  // namespace dualpath::trainer
