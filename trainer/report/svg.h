#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dualpath::trainer {

/// Pictures for an HTML page, as SVG. Their colours are the page's CSS: .curve0 and .curve1 of
/// lines, .heat0 (worst) to .heat7 of cells, .heat-text0 to .heat-text7 of what stands on them,
/// .axis.

/// Text that stands for itself in HTML and XML; characters that XML cannot hold become "?".
std::string escaped(std::string_view text);

struct Curve {
  std::string name;
  std::vector<std::pair<double, double>> points;  ///< x ascending; all finite
};

/// Curves over one pair of axes that begin at 0 where the values are not far from it. Of a long
/// curve, means of neighbours are drawn. Nothing where no curve has a point.
std::string line_chart(std::string_view title, std::string_view x_label,
                       const std::vector<Curve>& curves);

struct HeatRow {
  std::string name;
  std::vector<std::optional<double>> values;  ///< by column; nothing: no cell
  std::vector<std::string> cells;             ///< by column: what a cell is, shown when pointed at
};

/// Decibels, by fixed steps of 5 from below 10 to 40 and more, so that runs compare.
std::string heat_map(const std::vector<std::string>& columns, const std::vector<HeatRow>& rows);
/// What its colours mean.
std::string heat_legend();

}  // namespace dualpath::trainer
