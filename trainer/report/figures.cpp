#include "trainer/report/figures.h"

#include <fmt/format.h>

#include <cmath>

namespace dualpath::trainer {
namespace {

bool is_there(const std::optional<double>& value) { return value && !std::isnan(*value); }

}  // namespace

std::string number_text(const std::optional<double>& value, int decimals,
                        const FigureStyle& style) {
  return is_there(value) ? fmt::format("{:.{}f}", *value, decimals) : std::string(style.none);
}

std::string percent_text(const std::optional<double>& value, const FigureStyle& style) {
  return is_there(value) ? fmt::format("{:.2f}{}", 100 * *value, style.percent)
                         : std::string(style.none);
}

std::vector<std::string> quality_heads() { return {"perplexity", "accuracy", "KL", "agreement"}; }

std::vector<std::string> quality_cells(const RowFigures& row, const FigureStyle& style) {
  return {number_text(row.perplexity, 2, style), percent_text(row.accuracy, style),
          number_text(row.kl, 4, style), percent_text(row.agreement, style)};
}

}  // namespace dualpath::trainer
