#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace dualpath::trainer {

/// What a run has written down, as its files hold it; what is not there yet is empty.
struct RunRecord {
  std::string name;                              ///< the run directory's
  std::string recipe;                            ///< recipe.resolved.yaml
  nlohmann::json report;                         ///< report.json
  nlohmann::json selection;                      ///< selection.json
  std::vector<nlohmann::json> log, control_log;  ///< the lines of log.jsonl
};

/// One page for people: the table, the curves of the training, how each linear survives
/// quantization, what each correction does, the recipe. All in one file, which is XML too: it needs
/// no net and runs no script.
std::string html_report(const RunRecord& run);

}  // namespace dualpath::trainer
