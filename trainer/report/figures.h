#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/evaluate/table.h"

namespace dualpath::trainer {

/// A table's words for a missing value and a percent sign.
struct FigureStyle {
  std::string_view none, percent;
};

/// Writes a value with its decimals; NaN counts as missing.
std::string number_text(const std::optional<double>& value, int decimals, const FigureStyle& style);
/// Writes a share of 1 in percent, with two decimals.
std::string percent_text(const std::optional<double>& value, const FigureStyle& style);

/// The heads and cells of a row's quality: perplexity, accuracy, KL and agreement. All tables for
/// people show these.
std::vector<std::string> quality_heads();
std::vector<std::string> quality_cells(const RowFigures& row, const FigureStyle& style);

}  // namespace dualpath::trainer
