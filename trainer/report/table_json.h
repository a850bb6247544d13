#pragma once

#include <nlohmann/json_fwd.hpp>

#include "trainer/evaluate/table.h"

namespace dualpath::trainer {

/// Writes {"sets": {"in_domain": {row: {"perplexity": …}, "recovery": {row: {"kl": …}}}}, "window":
/// …}.
nlohmann::json to_json(const EvaluationTable& table);

/// Reads back one set of a table, its rows in the order in which they are shown.
SetFigures read_set(const std::string& name, const nlohmann::json& set);

}  // namespace dualpath::trainer
