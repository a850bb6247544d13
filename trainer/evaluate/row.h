#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "modules/network/executor.h"
#include "quant/plan/plan.h"
#include "trainer/evaluate/row_names.h"

namespace dualpath::trainer {

/// A row of the table: a model in one state, and the executor that computes it.
struct Row {
  std::string name;
  modules::Executor* executor = nullptr;
  std::int64_t bytes = 0;  ///< bytes of the tensors that its export takes, corrections included
  std::optional<std::int64_t> steps = {};  ///< steps of training behind it; none if it is untrained
  bool recovers = false;                   ///< whether it shall win back quantization's loss
};

/// Names of the rows over the weights that a plan transforms: "smoothed" and "smoothed_corrected".
/// Without a transform they are kQuantized and kCorrected.
struct TransformedRows {
  std::string quantized, corrected;
};
TransformedRows transformed_rows(const quant::Plan& plan);

}  // namespace dualpath::trainer
