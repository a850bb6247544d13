#pragma once

#include <nlohmann/json_fwd.hpp>

#include "trainer/evaluate/table.h"

namespace dualpath::trainer {

/// Writes {"sets": {"in_domain": {row: {"perplexity": …}, "recovery": {row: {"kl": …}},
/// "intervals": {row: {"kl": …}}}}, "window": …}. For a model with towers all of a set stands under
/// the samples' modality: {"in_domain": {"image": {row: …, "changed": […]}}}.
nlohmann::json to_json(const EvaluationTable& table);

/// Reads back all sets of a table ("sets"), their rows in the order in which they are shown.
std::vector<SetFigures> read_sets(const nlohmann::json& sets);

}  // namespace dualpath::trainer
