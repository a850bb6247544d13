#pragma once

#include <string>

#include "modules/network/executor.h"
#include "quant/plan/plan.h"
#include "trainer/evaluate/rows.h"

namespace dualpath::trainer {

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
