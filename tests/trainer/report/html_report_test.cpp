#include "trainer/report/html_report.h"

#include <catch2/catch.hpp>

#include "trainer/report/svg.h"

using namespace dualpath::trainer;
using Catch::Contains;
using nlohmann::json;

namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
  return n;
}

json linear(const std::string& stage, const std::string& name, double decibels) {
  return {{"linear", stage + "." + name}, {"stage", stage}, {"sqnr_db", decibels}};
}

json table_row(double perplexity, double kl) {
  return {{"perplexity", perplexity}, {"accuracy", 0.372},    {"kl", kl},
          {"agreement", 0.9},         {"bytes", 134'500'000}, {"tokens", 300}};
}

/// Two layers of two linears, three logged steps, and a table of two rows.
RunRecord record() {
  RunRecord run;
  run.name = "run";
  run.recipe = "seed: 0\n";
  for (const int step : {10, 20, 30})
    run.log.push_back({{"step", step}, {"loss", 0.5 / step}, {"ce", 3.0}, {"kl", 1.0 / step}});
  run.control_log = {{{"step", 10}, {"ce", 2.75}}};
  run.report["sqnr"]["linears"] = {
      linear("model.layers.0", "attn", 31.24), linear("model.layers.0", "mlp", 9.96),
      linear("model.layers.1", "attn", 44.0), linear("model.layers.1", "mlp", 22.0)};
  json& set = run.report["evaluation"]["sets"]["out_of_domain"];
  set["fp"] = table_row(12.3456, 0);
  set["corrected"] = table_row(20, 0.65);
  set["recovery"]["corrected"] = {{"kl", {{"value", 0.681}, {"low", 0.61}, {"high", 0.744}}},
                                  {"accuracy", nullptr}};
  run.selection["stages"] = {
      {{"stage", "model.layers.0"}, {"before", 0.5}, {"after", 0.25}, {"kept", true}}};
  return run;
}

}  // namespace

TEST_CASE("a report has the table's figures", "[report]") {
  const std::string html = html_report(record());
  CHECK_THAT(html, Contains("<h3>out of domain</h3>"));
  CHECK_THAT(html, Contains("<td>fp</td><td>12.35</td><td>37.20 %</td><td>0.0000</td>"
                            "<td>90.00 %</td><td>134.5</td>"));
  CHECK_THAT(html, Contains("<td>68 % (61 to 74)</td><td>within noise</td>"));
  CHECK(html.find("<td>fp</td>") < html.find("<td>corrected</td>"));
}

TEST_CASE("a report draws every curve that was logged and says where it ended", "[report]") {
  const std::string html = html_report(record());
  CHECK(count(html, "<polyline") == 3 + 1 + 2);  // loss, kl, ce; the control's; distances: two
  CHECK_THAT(html, Contains("<b>0.03333</b>"));  // kl at step 30
  CHECK_THAT(html, Contains("repair <b>3</b>") && Contains("control <b>2.75</b>"));
  CHECK_FALSE(html.find("learning rate") != html.npos);  // nobody logged one
}

TEST_CASE("a report shows every linear's SQNR by layer and names the worst first", "[report]") {
  const std::string html = html_report(record());
  CHECK_THAT(html, Contains("<title>model.layers.0.attn: 31.2 dB</title>"));
  CHECK(count(html, "<g><title>") == 4);
  CHECK(count(html, "class=\"heat0\"") == 1 + 1);  // 9.96 dB and the legend
  CHECK(count(html, "class=\"heat7\"") == 1 + 1);
  CHECK(html.find("<td>model.layers.0.mlp</td><td>10.0</td>") <
        html.find("<td>model.layers.1.mlp</td><td>22.0</td>"));
}

TEST_CASE("what a report is given is escaped", "[report]") {
  RunRecord run = record();
  run.name = "<script>alert(\"x\")</script> & co\x01";
  run.recipe = "targets: [\"re:<a&b>\"]\n";
  run.report["sqnr"]["linears"] = json::array({linear("<b>", "\"&\"", 20)});
  const std::string html = html_report(run);
  CHECK_FALSE(html.find("<script") != html.npos);
  CHECK_FALSE(html.find("<b>.") != html.npos);
  CHECK_THAT(html, Contains("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; co?"));
  CHECK_THAT(html, Contains("[&quot;re:&lt;a&amp;b&gt;&quot;]"));
  CHECK_THAT(html, Contains("<title>&lt;b&gt;.&quot;&amp;&quot;: 20.0 dB</title>"));
}

TEST_CASE("a run that has nothing yet has a report that says so", "[report]") {
  const std::string html = html_report({.name = "run",
                                        .recipe = "",
                                        .report = json::object(),
                                        .selection = json::object(),
                                        .log = {},
                                        .control_log = {}});
  for (const char* text :
       {"Not evaluated yet", "Nothing has been trained", "Not measured yet", "None trained"}) {
    CHECK_THAT(html, Contains(text));
  }
}

TEST_CASE("a report needs nothing from the net", "[report]") {
  const std::string html = html_report(record());
  for (const char* part : {"src=", "href=", "url(", "@import", "<script"})
    CHECK_FALSE(html.find(part) != html.npos);
}

TEST_CASE("a chart's axis begins at 0 where the values are not far from it", "[report]") {
  const auto chart = [](double low, double high) {
    return line_chart("t", "step", {{"", {{0, low}, {10, high}}}});
  };
  CHECK_THAT(chart(1, 10), Contains(">0</text>"));
  CHECK_FALSE(chart(8, 10).find("class=\"axis end\">0<") != std::string::npos);
  CHECK_THAT(chart(3, 3), Contains("<polyline"));  // a constant
  CHECK(line_chart("t", "step", {{"", {}}}) == "");
}

TEST_CASE("of a long curve the means of neighbours are drawn", "[report]") {
  Curve curve{"", {}};
  for (int i = 0; i < 3000; ++i) curve.points.emplace_back(i, i % 2);
  const std::string svg = line_chart("t", "step", {curve});
  const std::size_t at = svg.find("points=\"");
  CHECK(count(svg.substr(at, svg.find("\" class", at) - at), ",") == 300);
}

TEST_CASE("a report shows answers that changed, with the picture or the file's name", "[report]") {
  RunRecord run = record();
  json& set = run.report["evaluation"]["sets"]["photos"]["image"];
  set["fp"] = table_row(12, 0);
  set["fp"]["top1"] = 0.5;
  set["changed"] = json::array({{{"reference", "cat"},
                                 {"answers", {{"fp", "<cat>"}}},
                                 {"images", {"there.png", "gone.png"}},
                                 {"audio", {"clip.wav"}}}});
  run.pictures["there.png"] = "data:image/png;base64,AAAA";
  const std::string html = html_report(run);
  CHECK_THAT(html, Contains("<h3>photos image</h3>") && Contains("<th>top1</th>"));
  CHECK_THAT(html, Contains("<img alt=\"there.png\" src=\"data:image/png;base64,AAAA\"/>"
                            "<div>gone.png</div><div>clip.wav</div></td><td>cat</td>"
                            "<td>&lt;cat&gt;</td>"));
  CHECK(count(html, "answers that changed") == 1);
}
