#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dualpath::trainer {

/// Draws pictures for an HTML page, as SVG. Their colours are the page's CSS: .curve0 and .curve1
/// for lines, .heat0 (worst) to .heat7 for cells, .heat-text0 to .heat-text7 for texts on cells,
/// .axis.

/// Escapes a text so that it stands for itself in HTML and XML. Characters that XML cannot hold
/// become "?".
std::string escaped(std::string_view text);

struct Curve {
  std::string name;
  std::vector<std::pair<double, double>> points;  ///< x ascending; all finite
};

/// Draws curves over one pair of axes. The axes begin at 0 if the values are not far from it. A
/// long curve is drawn by means of neighbours. Empty if no curve has a point.
std::string line_chart(std::string_view title, std::string_view x_label,
                       const std::vector<Curve>& curves);

struct HeatRow {
  std::string name;
  std::vector<std::optional<double>> values;  ///< decibels by column; no cell if absent
  std::vector<std::string> cells;  ///< names of the cells by column, shown when pointed at
};

/// Draws a map of decibels. Colours go by fixed steps of 5, from below 10 to 40 and more, so that
/// runs compare.
std::string heat_map(const std::vector<std::string>& columns, const std::vector<HeatRow>& rows);
/// Explains the map's colours.
std::string heat_legend();

}  // namespace dualpath::trainer
