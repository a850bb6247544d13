#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "quant/plan/plan.h"
#include "trainer/predict/prediction.h"
#include "trainer/predict/strategy.h"
#include "trainer/recipe/options.h"

namespace dualpath::trainer {

/// Says before anything runs which tensors a recipe quantizes, how, and at what cost.
struct PlanReport {
  quant::Plan plan;
  StrategyChoice strategy;
  Prediction prediction;
  std::int64_t hidden_size = 0;
  std::int64_t parameters = 0;  ///< the model's, without corrections
  std::int64_t fp_bytes = 0;    ///< of the model's tensors in float
  struct CacheBytes {
    std::int64_t fp = 0, quantized = 0;
  } cache_bytes;  ///< keys and values of a token
  /// The config.json that is all there is of the model; nothing where there are weights.
  std::optional<std::filesystem::path> config = {};
};

/// Plans and predicts: with weights by running parts of the recipe's work (predict()), from a
/// config.json alone by its shapes (predict_from_config()). Sets the threads.
PlanReport plan_report(Recipe recipe);

/// Bytes of the export's tensors by config group; under "" what stays in float.
std::map<std::string, std::int64_t> bytes_by_scheme(const Prediction& prediction);

/// "query", "key" and "value": those of an attention's operands that are quantized.
std::vector<std::string> operand_names(const quant::PlannedAttention& attention);
/// "int8 tensor minmax", "int8 token dynamic" or "float".
std::string input_text(const std::optional<quant::QuantArgs>& inputs);

}  // namespace dualpath::trainer
