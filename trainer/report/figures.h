#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/evaluate/table.h"

namespace dualpath::trainer {

/// How a table spells what is not there, and a percent sign.
struct FigureStyle {
  std::string_view none, percent;
};

/// The value with its decimals; not a number is not there.
std::string number_text(const std::optional<double>& value, int decimals, const FigureStyle& style);
/// A share of 1 in percent, with two decimals.
std::string percent_text(const std::optional<double>& value, const FigureStyle& style);

/// Heads and cells of what the table says of a row's quality: perplexity, accuracy, KL and
/// agreement. Every table for people shows them so.
std::vector<std::string> quality_heads();
std::vector<std::string> quality_cells(const RowFigures& row, const FigureStyle& style);

}  // namespace dualpath::trainer
