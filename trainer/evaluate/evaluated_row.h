#pragma once

#include <string>

#include "modules/network/executor.h"
#include "quant/plan/plan.h"
#include "quant/transform/transform.h"
#include "trainer/evaluate/rows.h"

namespace dualpath::trainer {

/// The row of the trained model: kCorrected, or over transformed weights "smoothed_corrected".
inline std::string corrected_row(const quant::Plan& plan) {
  const std::string prefix = quant::row_prefix(plan);
  return prefix.empty() ? kCorrected : prefix + "_" + kCorrected;
}

/// A row of the table and what computes it.
struct EvaluatedRow {
  std::string name;
  modules::Executor* executor = nullptr;
};

}  // namespace dualpath::trainer
