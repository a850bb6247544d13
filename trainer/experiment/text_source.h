#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "modules/model/model.h"
#include "trainer/evaluate/row.h"
#include "trainer/recipe/options.h"

namespace dualpath::trainer {

/// A model that can be asked for text, in each of its rows. The rows are the table's, opened
/// without the texts that the table judges them on. Weights are loaded when a row first runs.
struct TextSource {
  virtual ~TextSource() = default;
  virtual const modules::Model& model() const = 0;
  /// The rows in the table's order.
  virtual const std::vector<Row>& rows() const = 0;
};

/// Opens a run's rows, from calibration to the newest checkpoint. If the recipe's model is an
/// export, opens that one's. With float_only the run need not exist. Sets the threads.
std::unique_ptr<TextSource> open_text_source(const Recipe& recipe, bool float_only);

/// Opens a model without a recipe, in config.json's dtype, else bfloat16: an export's rows, or any
/// other model's `fp` alone. Uses all cores.
std::unique_ptr<TextSource> open_text_source(const std::filesystem::path& model,
                                             at::Device device = at::kCPU);

}  // namespace dualpath::trainer
