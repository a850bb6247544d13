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

/// The metrics that a table of these rows shows: those of tokens, and others that any row has.
std::vector<Metric> shown_metrics(const std::vector<RowFigures>& rows);
/// The metrics that any of the rows has a recovery of.
std::vector<Metric> recovered_metrics(const std::vector<RowFigures>& rows);

/// The head of a metric's column, for people.
std::string head_of(const Metric& metric);
/// Writes a row's figure with its decimals.
std::string cell_of(const RowFigures& row, const Metric& metric, const FigureStyle& style);

}  // namespace dualpath::trainer
