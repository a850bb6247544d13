#include "trainer/experiment/selection_file.h"

#include <nlohmann/json.hpp>

#include "data/files/atomic_file.h"
#include "data/formats/json.h"

namespace dualpath::trainer {

void save_selection(const std::filesystem::path& path,
                    const std::vector<quant::SelectedStage>& selection, std::int64_t step) {
  nlohmann::json stages = nlohmann::json::array();
  for (const quant::SelectedStage& s : selection) {
    stages.push_back(
        {{"stage", s.stage}, {"before", s.before}, {"after", s.after}, {"kept", s.kept}});
  }
  write_file(path, nlohmann::json{{"step", step}, {"stages", stages}}.dump(2) + "\n");
}

std::optional<std::vector<quant::SelectedStage>> load_selection(const std::filesystem::path& path,
                                                                std::int64_t step) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  const data::JsonObject file = data::JsonObject::read(path);
  if (file.integer("step") != step) return std::nullopt;
  std::vector<quant::SelectedStage> selection;
  for (const data::JsonObject& stage : file.objects("stages")) {
    selection.push_back({stage.string("stage"), stage.number("before"), stage.number("after"),
                         stage.boolean("kept")});
  }
  return selection;
}

}  // namespace dualpath::trainer
