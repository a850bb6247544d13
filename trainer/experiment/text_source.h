#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "modules/model/model.h"
#include "trainer/evaluate/row.h"
#include "trainer/recipe/options.h"

namespace dualpath::trainer {

/// A model that can be asked for text, in each of the rows that there are of it: what the table
/// judges, opened without the texts it is judged on. Weights are loaded when a row first runs.
struct TextSource {
  virtual ~TextSource() = default;
  virtual const modules::Model& model() const = 0;
  /// In the table's order.
  virtual const std::vector<Row>& rows() const = 0;
};

/// A run's rows, from calibration to the newest checkpoint; or, if the recipe's model is an export,
/// that one's. With float_only the run need not be there. Sets the threads.
std::unique_ptr<TextSource> open_text_source(const Recipe& recipe, bool float_only);

/// Without a recipe, in the dtype that config.json says, else bfloat16: an export's rows, or any
/// other model's `fp` alone. All cores.
std::unique_ptr<TextSource> open_text_source(const std::filesystem::path& model);

}  // namespace dualpath::trainer
