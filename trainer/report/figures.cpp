#include "trainer/report/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace dualpath::trainer {
namespace {

bool is_there(const std::optional<double>& value) { return value && !std::isnan(*value); }

std::string capitals(std::string name) {
  for (char& letter : name) letter = static_cast<char>(letter - 'a' + 'A');
  return name;
}

}  // namespace

std::string number_text(const std::optional<double>& value, int decimals,
                        const FigureStyle& style) {
  return is_there(value) ? fmt::format("{:.{}f}", *value, decimals) : std::string(style.none);
}

std::string percent_text(const std::optional<double>& value, const FigureStyle& style) {
  return is_there(value) ? fmt::format("{:.2f}{}", 100 * *value, style.percent)
                         : std::string(style.none);
}

std::vector<Metric> shown_metrics(const std::vector<RowFigures>& rows) {
  std::vector<Metric> metrics;
  for (const Metric& metric : kMetrics) {
    const bool is_there = std::ranges::any_of(
        rows, [&](const RowFigures& row) { return row.figures.contains(metric.name); });
    if (metric.is_shown && (is_there || is_of_tokens(metric))) metrics.push_back(metric);
  }
  return metrics;
}

std::vector<Metric> recovered_metrics(const std::vector<RowFigures>& rows) {
  std::vector<Metric> metrics;
  for (const Metric& metric : kMetrics) {
    if (std::ranges::any_of(rows, [&](const RowFigures& row) {
          return row.recovery && row.recovery->contains(metric.name);
        }))
      metrics.push_back(metric);
  }
  return metrics;
}

std::string head_of(const Metric& metric) {
  const std::string name = metric.name;
  return name == "kl" || name == "wer" || name == "cer" ? capitals(name) : name;
}

std::string cell_of(const RowFigures& row, const Metric& metric, const FigureStyle& style) {
  const auto found = row.figures.find(metric.name);
  std::optional<double> value;
  if (found != row.figures.end()) value = found->second;
  switch (metric.quantity) {
    case Quantity::kNll:
      return number_text(value, metric.is_exp ? 2 : 4, style);
    case Quantity::kKl:
    case Quantity::kFrames:
      return number_text(value, 4, style);
    default:
      return percent_text(value, style);
  }
}

}  // namespace dualpath::trainer
