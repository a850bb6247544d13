#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace dualpath::trainer {

/// The records of a run, as its files hold them. A file that is not there yet is empty.
struct RunRecord {
  std::string name;                              ///< the run directory's
  std::string recipe;                            ///< recipe.resolved.yaml
  nlohmann::json report;                         ///< report.json
  nlohmann::json selection;                      ///< selection.json
  std::vector<nlohmann::json> log, control_log;  ///< the lines of log.jsonl
  /// Small pictures as data URIs, by the names that the report gives their files.
  std::map<std::string, std::string> pictures = {};
};

/// Makes one page for people: the table, the curves of the training, each linear's SQNR, each
/// correction's effect, the recipe. It is a single file and valid XML; it loads nothing from the
/// net and runs no script.
std::string html_report(const RunRecord& run);

}  // namespace dualpath::trainer
