#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "data/files/atomic_file.h"
#include "data/files/file.h"
#include "data/formats/json.h"
#include "data/media/picture_uri.h"
#include "data/media/read_image.h"
#include "trainer/report/html_report.h"
#include "trainer/report/table_json.h"
#include "trainer/runs/runs.h"
#include "trainer/train/run_log.h"

namespace dualpath::trainer {
namespace {

constexpr int kSmallPicture = 256;  // pixels a side

/// The pictures that the report's changed samples name. One that is no longer there is left out.
std::map<std::string, std::string> pictures_of(const nlohmann::json& report) {
  std::map<std::string, std::string> pictures;
  if (!report.contains("evaluation")) return pictures;
  for (const SetFigures& set : read_sets(report["evaluation"]["sets"])) {
    for (const ChangedSample& sample : set.changed) {
      for (const std::string& image : sample.images) {
        try {
          pictures[image] = data::picture_uri(data::read_image(image), kSmallPicture);
        } catch (const Error&) {  // the page names the file instead
        }
      }
    }
  }
  return pictures;
}

}  // namespace

void write_html_report(const RunDirectory& directory) {
  constexpr std::int64_t kAll = std::numeric_limits<std::int64_t>::max() - 1;
  RunRecord run;
  run.name = std::filesystem::absolute(directory.path()).lexically_normal().filename().string();
  run.recipe = read_file(directory.resolved_recipe());
  run.report = directory.read_report();
  run.pictures = pictures_of(run.report);
  run.selection = std::filesystem::exists(directory.selection())
                      ? data::read_json(directory.selection())
                      : nlohmann::json::object();
  run.log = read_log(directory.path() / "log.jsonl", kAll);
  run.control_log = read_log(directory.control() / "log.jsonl", kAll);
  write_file(directory.html_report(), html_report(run));
}

}  // namespace dualpath::trainer
