#pragma once

#include <string>

#include "modules/executor.h"
#include "quant/plan.h"

namespace dualpath::trainer {

/// The names of the table's rows, the same in report, command line and text.
inline constexpr const char *kFp = "fp", *kQuantized = "quantized", *kSmoothed = "smoothed",
                            *kCorrected = "corrected", *kSmoothedCorrected = "smoothed_corrected",
                            *kControl = "control";

/// The row of the trained model: over smoothed weights kSmoothedCorrected.
inline const char* corrected_row(const quant::Plan& plan) {
  return plan.folds.empty() ? kCorrected : kSmoothedCorrected;
}

/// A row of the table and what computes it.
struct EvaluatedRow {
  std::string name;
  modules::Executor* executor = nullptr;
};

}  // namespace dualpath::trainer
