#include "tests/data/jinja/rendered.h"

using dualpath::testing::refusal;
using dualpath::testing::rendered;

namespace {

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

const std::string kStopped = "t:1: the template does too much: it was stopped";

}  // namespace

TEST_CASE("a template that would run for ever is stopped", "[data][jinja]") {
  CHECK(refusal("{% for a in range(99999999) %}{% endfor %}") ==
        "t:1: range: more than 100000 values");
  CHECK(refusal("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}") ==
        kStopped);
}

TEST_CASE("a text or list that doubles and doubles is stopped", "[data][jinja]") {
  const std::string loop = "{% for a in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}";
  CHECK(refusal("{% set n = namespace(x='aaaa') %}" + loop) == kStopped);
  CHECK(refusal("{% set n = namespace(x=[1]) %}" + loop) == kStopped);
  CHECK(refusal("{{ 'a' * 999999999999 }}") == kStopped);
  CHECK(refusal("{{ 'a' | indent(999999999999) }}") == kStopped);
  CHECK(refusal("{{ [1] | tojson(indent=999999999999) }}") == kStopped);
  CHECK(refusal("{{ ('ΐ' * 9999999) | upper }}") == kStopped);
  CHECK(refusal("{{ ('a' * 9999).replace('', 'a' * 9999) }}") == kStopped);
  CHECK(refusal("{{ [0] * 999999999999 }}") == kStopped);
}

TEST_CASE("a list that holds itself twice, over and over, is not written out for ever",
          "[data][jinja]") {
  const std::string doubled =
      "{% set n = namespace(x=[1]) %}"
      "{% for a in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}";
  CHECK(refusal(doubled + "{{ n.x }}") == kStopped);
  CHECK(refusal(doubled + "{{ n.x | tojson }}") == kStopped);
  CHECK(refusal(doubled + "{{ n.x == [n.x[0], n.x[1]] }}") == kStopped);
  CHECK(refusal("{% set n = namespace(x=[]) %}"
                "{% for a in range(99) %}{% set n.x = [n.x] %}{% endfor %}") ==
        "t:1: lists and dicts are nested too deeply");
}

TEST_CASE("what stands inside one another is bounded", "[data][jinja]") {
  CHECK(rendered("{{ " + repeated("(", 30) + "1" + repeated(")", 30) + " }}") == "1");
  CHECK(refusal("{{ " + repeated("(", 999) + "1" + repeated(")", 999) + " }}") ==
        "t:1: nested too deeply");
  CHECK(refusal("{{ " + repeated("not ", 999) + "1 }}") == "t:1: nested too deeply");
  CHECK(refusal("{{ " + repeated("-", 999) + "1 }}") == "t:1: nested too deeply");
  CHECK(refusal("{{ 1" + repeated(" + 1", 999) + " }}") == "t:1: too long an expression");
  CHECK(refusal("{{ a" + repeated(".a", 999) + " }}") == "t:1: too long an expression");
  CHECK(refusal(repeated("{% if 1 %}", 999)) == "t:1: nested too deeply");
  CHECK(refusal("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}") == "t:1: nested too deeply");
  CHECK(refusal("{% for " + repeated("(", 999) + "a" + repeated(")", 999) + " in x %}") ==
        "t:1: nested too deeply");
}

TEST_CASE("finding the names of a template is bounded", "[data][jinja]") {
  std::string names;
  for (int i = 0; i < 40000; ++i) names += "{{ n" + std::to_string(i) + " }}";
  CHECK(refusal(repeated("{% if a %}", 150) + names + repeated("{% endif %}", 150)) == kStopped);
}

TEST_CASE("a template's size is bounded", "[data][jinja]") {
  CHECK(refusal(std::string((1 << 20) + 1, 'a')) ==
        "t: 1048577 bytes, more than a template may have");
}
