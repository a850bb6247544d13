#include <limits>

#include "data/base/atomic_file.h"
#include "data/base/file.h"
#include "data/formats/json.h"
#include "trainer/html_report.h"
#include "trainer/run_log.h"
#include "trainer/runs.h"

namespace dualpath::trainer {

void write_html_report(const RunDirectory& directory) {
  constexpr std::int64_t kAll = std::numeric_limits<std::int64_t>::max() - 1;
  RunRecord run;
  run.name = std::filesystem::absolute(directory.path()).lexically_normal().filename().string();
  run.recipe = read_file(directory.resolved_recipe());
  run.report = directory.read_report();
  run.selection = std::filesystem::exists(directory.selection())
                      ? data::read_json(directory.selection())
                      : nlohmann::json::object();
  run.log = read_log(directory.path() / "log.jsonl", kAll);
  run.control_log = read_log(directory.control() / "log.jsonl", kAll);
  write_file(directory.html_report(), html_report(run));
}

}  // namespace dualpath::trainer
