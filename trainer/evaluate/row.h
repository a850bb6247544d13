#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "modules/network/executor.h"
#include "quant/plan/plan.h"
#include "trainer/evaluate/row_names.h"

namespace dualpath::trainer {

/// A row of the table: a model in one state, and what computes it.
struct Row {
  std::string name;
  modules::Executor* executor = nullptr;
  std::int64_t bytes = 0;  ///< of the tensors that its export takes, corrections included
  std::optional<std::int64_t> steps = {};  ///< of training behind it, if it is trained
  bool recovers = false;                   ///< whether it is to win back what quantizing lost
};

/// Names of the rows over the weights that a plan transforms: "smoothed" and "smoothed_corrected".
/// Of a plan without a transform: kQuantized and kCorrected.
struct TransformedRows {
  std::string quantized, corrected;
};
TransformedRows transformed_rows(const quant::Plan& plan);

}  // namespace dualpath::trainer
