#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "quant/compare/selection.h"

namespace dualpath::trainer {

/// Writes selection.json: each trained correction's effect on the selection text, and whether it
/// stays.
void save_selection(const std::filesystem::path& path,
                    const std::vector<quant::SelectedStage>& selection, std::int64_t step);
/// Reads selection.json; nothing if there is none, or it was made at another step.
std::optional<std::vector<quant::SelectedStage>> load_selection(const std::filesystem::path& path,
                                                                std::int64_t step);

}  // namespace dualpath::trainer
