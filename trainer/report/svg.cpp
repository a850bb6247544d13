#include "trainer/report/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace dualpath::trainer {
namespace {

using Point = std::pair<double, double>;

constexpr double kWidth = 360, kHeight = 190;  // size of a chart with its axes
constexpr double kLeft = 50, kRight = 12, kTop = 10, kBottom = 34;

/// The ends of an axis, and the distance of its marks.
struct Axis {
  double low, high, step;

  double share(double value) const { return (value - low) / (high - low); }
};

/// A step of 1, 2 or 5 times a power of ten, about a quarter of the range.
double nice_step(double range) {
  const double power = std::pow(10.0, std::floor(std::log10(range / 4)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (range / (factor * power) <= 5) return factor * power;
  }
  return 10 * power;
}

Axis axis_of(double low, double high) {
  if (low > 0 && low < high / 2) low = 0;
  if (high <= low) {  // a constant
    const double room = low == 0 ? 1 : std::abs(low) / 10;
    low -= room;
    high += room;
  }
  const double step = nice_step(high - low);
  return {std::floor(low / step) * step, std::ceil(high / step) * step, step};
}

/// The x axis; it ends where the curves do.
Axis steps_of(double low, double high) {
  if (high <= low) return {low - 1, low + 1, 1};
  return {low, high, nice_step(high - low)};
}

std::vector<double> marks(const Axis& axis) {
  std::vector<double> marks;
  for (double i = std::ceil(axis.low / axis.step); i * axis.step <= axis.high * (1 + 1e-9); ++i)
    marks.push_back(i * axis.step);
  return marks;
}

std::vector<Point> thinned(const std::vector<Point>& points) {
  constexpr std::size_t kMost = 300;
  const std::size_t each = (points.size() + kMost - 1) / kMost;
  std::vector<Point> result;
  for (std::size_t i = 0; i < points.size(); i += each) {
    Point mean;
    const std::size_t n = std::min(each, points.size() - i);
    for (std::size_t j = i; j < i + n; ++j) {
      mean.first += points[j].first / static_cast<double>(n);
      mean.second += points[j].second / static_cast<double>(n);
    }
    result.push_back(mean);
  }
  return result;
}

std::string text(double x, double y, std::string_view css, std::string_view what) {
  return fmt::format(R"(<text x="{:.1f}" y="{:.1f}" class="{}">{}</text>)", x, y, css,
                     escaped(what));
}

/// The rectangle that holds a chart's curves.
struct Frame {
  Axis x, y;

  Point at(const Point& p) const {
    return {kLeft + x.share(p.first) * (kWidth - kLeft - kRight),
            kHeight - kBottom - y.share(p.second) * (kHeight - kTop - kBottom)};
  }
};

Frame frame_of(const std::vector<Curve>& curves) {
  Point low{HUGE_VAL, HUGE_VAL}, high{-HUGE_VAL, -HUGE_VAL};
  for (const Curve& curve : curves) {
    for (const auto& [x, y] : curve.points) {
      low = {std::min(low.first, x), std::min(low.second, y)};
      high = {std::max(high.first, x), std::max(high.second, y)};
    }
  }
  return {steps_of(low.first, high.first), axis_of(low.second, high.second)};
}

std::string axes(const Frame& frame, std::string_view x_label) {
  std::string svg;
  for (const double value : marks(frame.y)) {
    const double y = frame.at({frame.x.low, value}).second;
    svg += fmt::format(R"(<line x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}" class="grid"/>)", kLeft,
                       kWidth - kRight, y, y);
    svg += text(kLeft - 6, y + 3.5, "axis end", fmt::format("{:.4g}", value));
  }
  for (const double value : marks(frame.x)) {
    const double x = frame.at({value, frame.y.low}).first;
    svg += text(x, kHeight - kBottom + 14, "axis middle", fmt::format("{:g}", value));
  }
  return svg + text((kLeft + kWidth - kRight) / 2, kHeight - 4, "axis middle", x_label);
}

std::string drawn(const Frame& frame, const Curve& curve, std::size_t index) {
  std::string points;
  const std::vector<Point> thin = thinned(curve.points);
  for (const Point& point : thin) {
    const auto [x, y] = frame.at(point);
    points += fmt::format("{:.1f},{:.1f} ", x, y);
  }
  std::string svg = fmt::format(R"(<polyline points="{}" class="curve{}"/>)", points, index);
  if (thin.size() > 1) return svg;
  const auto [x, y] = frame.at(thin.front());
  return svg + fmt::format(R"(<circle cx="{:.1f}" cy="{:.1f}" r="3" class="dot{}"/>)", x, y, index);
}

constexpr double kCell = 26, kCellHeight = 22, kNames = 150;  // sizes in the map
constexpr int kClasses = 8;

int class_of(double decibels) {
  return std::clamp(static_cast<int>(std::floor(decibels / 5)) - 1, 0, kClasses - 1);
}

std::string cell(double x, double y, double decibels, std::string_view name) {
  const int heat = class_of(decibels);
  return fmt::format(
             R"(<g><title>{}: {:.1f} dB</title><rect x="{:.0f}" y="{:.0f}" width="{}" height="{}" )"
             R"(class="heat{}"/>)",
             escaped(name), decibels, x, y, kCell - 2, kCellHeight - 2, heat) +
         text(x + kCell / 2 - 1, y + 14, fmt::format("cell middle heat-text{}", heat),
              fmt::format("{:.0f}", std::round(decibels) + 0.0)) +  // avoids "-0"
         "</g>";
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        const bool control = static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t';
        result += control ? '?' : c;
    }
  }
  return result;
}

std::string line_chart(std::string_view title, std::string_view x_label,
                       const std::vector<Curve>& all) {
  std::vector<Curve> curves = all;
  std::erase_if(curves, [](const Curve& curve) { return curve.points.empty(); });
  if (curves.empty()) return "";
  const Frame frame = frame_of(curves);
  std::string legend, lines;
  for (std::size_t i = 0; i < curves.size(); ++i) {
    legend += fmt::format(R"( <span class="key key{}">{} <b>{:.4g}</b></span>)", i,
                          escaped(curves[i].name), curves[i].points.back().second);
    lines += drawn(frame, curves[i], i) + "\n";
  }
  return fmt::format(
      "<figure><figcaption>{0}{1}</figcaption>\n"
      R"(<svg viewBox="0 0 {2} {3}" role="img" aria-label="{0}">{4})"
      "\n{5}</svg></figure>\n",
      escaped(title), legend, kWidth, kHeight, axes(frame, x_label), lines);
}

std::string heat_map(const std::vector<std::string>& columns, const std::vector<HeatRow>& rows) {
  const double width = kNames + kCell * static_cast<double>(columns.size());
  const double height = kCellHeight * static_cast<double>(rows.size() + 1);
  std::string svg = fmt::format(
      R"(<svg viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img" aria-label="SQNR by layer and site">)",
      width, height);
  for (std::size_t c = 0; c < columns.size(); ++c)
    svg += text(kNames + kCell * (static_cast<double>(c) + 0.5) - 1, 14, "axis middle", columns[c]);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const double y = kCellHeight * static_cast<double>(r + 1);
    svg += "\n" + text(kNames - 8, y + 14, "axis end", rows[r].name);
    for (std::size_t c = 0; c < columns.size(); ++c) {
      if (!rows[r].values[c]) continue;
      svg += cell(kNames + kCell * static_cast<double>(c), y, *rows[r].values[c], rows[r].cells[c]);
    }
  }
  return svg + "</svg>\n";
}

std::string heat_legend() {
  std::string legend = "dB:";
  for (int i = 0; i < kClasses; ++i) {
    const std::string range = i == 0              ? "&lt; 10"
                              : i + 1 == kClasses ? "≥ 40"
                                                  : fmt::format("{}–{}", 5 * i + 5, 5 * i + 10);
    legend += fmt::format(
        R"( <svg width="12" height="12"><rect width="12" height="12" class="heat{}"/></svg> {})", i,
        range);
  }
  return legend;
}

}  // namespace dualpath::trainer
