#include "trainer/report/html_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "trainer/report/figures.h"
#include "trainer/report/svg.h"
#include "trainer/report/table_json.h"

namespace dualpath::trainer {
namespace {

using nlohmann::json;

constexpr const char* kStyle = R"(
:root { color-scheme: light dark; --page: #fff; --ink: #1b1e22; --soft: #5b636d; --line: #dfe3e8;
  --curve0: #1f66b5; --curve1: #b8531a;
  --h0: #7f2704; --h1: #a63603; --h2: #d94801; --h3: #f16913; --h4: #fd9a53; --h5: #fdc592; --h6: #fde2c8;
  --h7: #fdf3e9; --on-strong: #fff; --on-weak: #1b1e22; }
@media (prefers-color-scheme: dark) {
  :root { --page: #15181c; --ink: #e8eaed; --soft: #a2abb5; --line: #343a42; --curve0: #6fb0f2; --curve1: #f0a069;
    --h0: #ffb27a; --h1: #fb8c46; --h2: #e06c24; --h3: #b95518; --h4: #8f4213; --h5: #683312; --h6: #472713;
    --h7: #2c1e15; --on-strong: #15181c; --on-weak: #e8eaed; } }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; font: 15px/1.45 system-ui, sans-serif; color: var(--ink);
  background: var(--page); }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
p, figcaption { color: var(--soft); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 0.2rem 0.8rem; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
.changed td { text-align: left; vertical-align: top; } img { max-width: 256px; max-height: 256px; }
pre { overflow-x: auto; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem; }
.wide { overflow-x: auto; }
figure { margin: 0; } figure svg { width: 100%; height: auto; }
figcaption { font-weight: 600; } .key { font-weight: 400; white-space: nowrap; margin-left: 0.8rem; }
.key0 { color: var(--curve0); } .key1 { color: var(--curve1); }
svg text { font: 11px system-ui, sans-serif; fill: var(--soft); } svg .cell { font-size: 10px; }
.end { text-anchor: end; } .middle { text-anchor: middle; }
.grid { stroke: var(--line); }
polyline { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.curve0 { stroke: var(--curve0); } .curve1 { stroke: var(--curve1); }
.dot0 { fill: var(--curve0); } .dot1 { fill: var(--curve1); }
.heat0 { fill: var(--h0); } .heat1 { fill: var(--h1); } .heat2 { fill: var(--h2); } .heat3 { fill: var(--h3); }
.heat4 { fill: var(--h4); } .heat5 { fill: var(--h5); } .heat6 { fill: var(--h6); } .heat7 { fill: var(--h7); }
svg .heat-text0, svg .heat-text1, svg .heat-text2 { fill: var(--on-strong); }
svg .heat-text3, svg .heat-text4, svg .heat-text5, svg .heat-text6, svg .heat-text7 { fill: var(--on-weak); }
)";

constexpr FigureStyle kPage{.none = "–", .percent = " %"};

/// Writes an estimate: "68 % (61 to 74)".
std::string estimate_text(const std::optional<Estimate>& estimate) {
  if (!estimate) return "within noise";
  return fmt::format("{:.0f} % ({:.0f} to {:.0f})", 100 * estimate->value, 100 * estimate->low,
                     100 * estimate->high);
}

std::string table_row(const std::vector<std::string>& cells, const char* tag) {
  std::string row = "<tr>";
  for (const std::string& cell : cells) row += fmt::format("<{0}>{1}</{0}>", tag, escaped(cell));
  return row + "</tr>\n";
}

/// The recoveries that have a column: of the metrics of tokens KL and accuracy alone.
std::vector<Metric> recovery_columns(const std::vector<RowFigures>& rows) {
  std::vector<Metric> columns;
  const std::vector<Metric> recovered = recovered_metrics(rows);
  for (const Metric& metric : kMetrics) {
    const bool is_usual = metric.quantity == Quantity::kKl || metric.quantity == Quantity::kCorrect;
    const bool is_recovered = std::ranges::any_of(
        recovered, [&](const Metric& other) { return other.quantity == metric.quantity; });
    if (is_usual || (is_recovered && !is_of_tokens(metric))) columns.push_back(metric);
  }
  std::stable_partition(columns.begin(), columns.end(),
                        [](const Metric& metric) { return metric.quantity == Quantity::kKl; });
  return columns;
}

std::string recovered_cell(const RowFigures& row, const Metric& metric) {
  if (!row.recovery) return "";
  const auto found = row.recovery->find(metric.name);
  return estimate_text(found == row.recovery->end() ? std::nullopt : found->second);
}

std::string set_table(const SetFigures& set) {
  const std::vector<Metric> metrics = shown_metrics(set.rows),
                            recovered = recovery_columns(set.rows);
  std::vector<std::string> heads{"row"};
  for (const Metric& metric : metrics) heads.push_back(head_of(metric));
  heads.push_back("MB");
  for (const Metric& metric : recovered) heads.push_back(head_of(metric) + " recovered");
  std::string table = "<table>" + table_row(heads, "th");
  for (const RowFigures& row : set.rows) {
    std::vector<std::string> cells{row.name};
    for (const Metric& metric : metrics) cells.push_back(cell_of(row, metric, kPage));
    cells.push_back(fmt::format("{:.1f}", static_cast<double>(row.bytes) / 1e6));
    for (const Metric& metric : recovered) cells.push_back(recovered_cell(row, metric));
    table += table_row(cells, "td");
  }
  return table + "</table>\n";
}

/// Shows a sample's files: pictures that are there, else the files' names.
std::string files_cell(const ChangedSample& sample, const RunRecord& run) {
  std::string cell;
  for (const std::string& image : sample.images) {
    const auto picture = run.pictures.find(image);
    cell += picture == run.pictures.end()
                ? fmt::format("<div>{}</div>", escaped(image))
                : fmt::format("<img alt=\"{}\" src=\"{}\"/>", escaped(image), picture->second);
  }
  for (const std::string& clip : sample.audio) cell += fmt::format("<div>{}</div>", escaped(clip));
  return cell;
}

/// Shows the samples that the rows answer differently.
std::string changed_table(const SetFigures& set, const RunRecord& run) {
  if (set.changed.empty()) return "";
  std::string html =
      "<details><summary>answers that changed</summary><table class=\"changed\"><tr>"
      "<th>sample</th><th>reference</th>";
  for (const RowFigures& row : set.rows) html += fmt::format("<th>{}</th>", escaped(row.name));
  html += "</tr>\n";
  for (const ChangedSample& sample : set.changed) {
    html += fmt::format("<tr><td>{}</td><td>{}</td>", files_cell(sample, run),
                        escaped(sample.reference));
    for (const RowFigures& row : set.rows) {
      const auto answer = sample.answers.find(row.name);
      html +=
          fmt::format("<td>{}</td>", answer == sample.answers.end() ? "" : escaped(answer->second));
    }
    html += "</tr>\n";
  }
  return html + "</table></details>\n";
}

std::string results(const RunRecord& run) {
  if (!run.report.contains("evaluation"))
    return "<p>Not evaluated yet: <code>dualpath evaluate</code> fills this table.</p>\n";
  std::string html;
  for (const SetFigures& set : read_sets(run.report["evaluation"]["sets"])) {
    std::string title = set.title();
    std::replace(title.begin(), title.end(), '_', ' ');
    html +=
        fmt::format("<h3>{}</h3>\n<div class=\"wide\">{}</div>\n", escaped(title), set_table(set)) +
        changed_table(set, run);
  }
  return html + "<p>Recovered: share of what quantizing lost, with its 95 % interval.</p>\n";
}

Curve curve_of(const char* name, const std::vector<json>& log, const char* key) {
  Curve curve{name, {}};
  for (const json& line : log) {
    const json value = line.value(key, json());
    if (value.is_number()) curve.points.emplace_back(line.value("step", 0.0), value.get<double>());
  }
  return curve;
}

std::string training(const RunRecord& run) {
  if (run.log.empty()) return "<p>Nothing has been trained.</p>\n";
  std::string charts;
  for (const auto& [key, title] :
       {std::pair{"loss", "loss"}, std::pair{"kl", "KL to the float model, nats"},
        std::pair{"hidden", "hidden distance"}, std::pair{"grad_norm", "gradient norm"},
        std::pair{"learning_rate", "learning rate"}}) {
    charts += line_chart(title, "step", {curve_of("", run.log, key)});
  }
  charts +=
      line_chart("cross-entropy, nats", "step",
                 {curve_of("repair", run.log, "ce"), curve_of("control", run.control_log, "ce")});
  return "<div class=\"charts\">\n" + charts + "</div>\n";
}

/// Shortens "model.layers.12" to "12"; a stage without a number keeps its name.
std::string short_stage(const std::string& stage) {
  const std::string last = stage.substr(stage.rfind('.') + 1);
  return last.find_first_not_of("0123456789") == last.npos ? last : stage;
}

/// Draws the SQNR map: layers side by side, their linears one below the other.
std::string sqnr_map(const json& linears) {
  std::vector<std::string> stages, columns;
  std::vector<HeatRow> rows;
  for (const json& entry : linears) {
    const std::string stage = entry["stage"];
    if (std::find(stages.begin(), stages.end(), stage) == stages.end()) {
      stages.push_back(stage);
      columns.push_back(short_stage(stage));
    }
  }
  for (const json& entry : linears) {
    const std::string linear = entry["linear"], stage = entry["stage"];
    const std::string name =
        linear.starts_with(stage + ".") ? linear.substr(stage.size() + 1) : linear;
    auto row = std::find_if(rows.begin(), rows.end(),
                            [&](const HeatRow& have) { return have.name == name; });
    if (row == rows.end()) {
      rows.push_back({name, std::vector<std::optional<double>>(stages.size()),
                      std::vector<std::string>(stages.size())});
      row = rows.end() - 1;
    }
    const auto column = std::find(stages.begin(), stages.end(), stage) - stages.begin();
    row->values[static_cast<std::size_t>(column)] = entry["sqnr_db"].get<double>();
    row->cells[static_cast<std::size_t>(column)] = linear;
  }
  return heat_map(columns, rows);
}

std::string worst_linears(const json& linears) {
  constexpr std::ptrdiff_t kShown = 8;
  std::vector<std::pair<double, std::string>> worst;
  for (const json& entry : linears) worst.emplace_back(entry["sqnr_db"], entry["linear"]);
  const auto end = worst.begin() + std::min(kShown, std::ssize(worst));
  std::partial_sort(worst.begin(), end, worst.end());
  std::string table = "<table>" + table_row({"worst", "dB"}, "th");
  for (auto entry = worst.begin(); entry != end; ++entry)
    table += table_row({entry->second, fmt::format("{:.1f}", entry->first)}, "td");
  return table + "</table>\n";
}

std::string quantization(const json& report) {
  const json linears = report.value("sqnr", json::object()).value("linears", json::array());
  if (linears.empty()) return "<p>Not measured yet.</p>\n";
  return "<p>Signal to quantization noise of each linear’s output, alone, in dB by layer: 20 dB is "
         "an error of a "
         "tenth. The strongest colour is worst.</p>\n<p>" +
         heat_legend() + "</p>\n<div class=\"wide\">" + sqnr_map(linears) + "</div>\n" +
         worst_linears(linears);
}

std::string corrections(const json& selection) {
  const json stages = selection.value("stages", json::array());
  Curve before{"before its correction", {}}, after{"after", {}};
  for (std::size_t i = 0; i < stages.size(); ++i) {
    before.points.emplace_back(static_cast<double>(i), stages[i]["before"].get<double>());
    after.points.emplace_back(static_cast<double>(i), stages[i]["after"].get<double>());
  }
  const std::string chart =
      line_chart("distance of the hidden state to the float model", "layer", {before, after});
  return chart.empty() ? "<p>None trained.</p>\n" : "<div class=\"charts\">\n" + chart + "</div>\n";
}

std::string section(const char* title, const std::string& content) {
  return fmt::format("<h2>{}</h2>\n{}", title, content);
}

}  // namespace

std::string html_report(const RunRecord& run) {
  return fmt::format(R"(<!DOCTYPE html>
<html lang="en" xmlns="http://www.w3.org/1999/xhtml"><head><meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>{0} – DualPath</title><style>{1}</style></head>
<body><h1>DualPath run: {0}</h1>
)",
                     escaped(run.name), kStyle) +
         section("Results", results(run)) + section("Training", training(run)) +
         section("Quantization", quantization(run.report)) +
         section("Corrections", corrections(run.selection)) +
         section("Recipe",
                 fmt::format("<details><summary>every key</summary><pre>{}</pre></details>\n",
                             escaped(run.recipe))) +
         "</body></html>\n";
}

}  // namespace dualpath::trainer
