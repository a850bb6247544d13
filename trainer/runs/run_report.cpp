#include <limits>

#include "data/files/atomic_file.h"
#include "data/files/file.h"
#include "data/formats/json.h"
#include "trainer/report/html_report.h"
#include "trainer/runs/runs.h"
#include "trainer/train/run_log.h"

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
