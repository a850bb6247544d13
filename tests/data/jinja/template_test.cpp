#include "tests/data/jinja/rendered.h"

using dualpath::testing::rendered;

TEST_CASE("names stand for what is given", "[data][jinja]") {
  CHECK(rendered("{{ a }}-{{ b.c[1] }}", {{"a", "x"}, {"b", {{"c", {1, 2}}}}}) == "x-2");
  CHECK(rendered("[{{ nothing }}]") == "[]");
}

TEST_CASE("the newline behind a block goes, and the white space before it", "[data][jinja]") {
  CHECK(rendered("a\n  {% if true %}\nb\n  {% endif %}\nc") == "a\nb\nc");
  CHECK(rendered("a {{- 'b' -}} c") == "abc");
  CHECK(rendered("  {%+ if true %}x{% endif %}") == "  x");
}

TEST_CASE("the last newline of a template goes, one only", "[data][jinja]") {
  CHECK(rendered("a\n") == "a");
  CHECK(rendered("a\r\n\r\n") == "a\n");
}

TEST_CASE("a name set in a loop is gone behind it, in an if it stays, and a namespace keeps it",
          "[data][jinja]") {
  CHECK(rendered("{% set x = 1 %}{% for i in [2] %}{% set x = i %}{% endfor %}{{ x }}") == "1");
  CHECK(rendered("{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}") == "2");
  CHECK(rendered("{% set n = namespace(x=1) %}{% for i in [2] %}{% set n.x = i %}{% endfor %}"
                 "{{ n.x }}") == "2");
}

TEST_CASE("a macro sees the template's names, and its caller's do not reach it", "[data][jinja]") {
  CHECK(rendered("{% set a = 'A' %}{% macro m(b) %}{{ a }}{{ b }}{{ c }}{% endmacro %}"
                 "{% for c in [1] %}{{ m('B') }}{% endfor %}") == "AB");
}

TEST_CASE("a dict keeps the order it was given", "[data][jinja]") {
  CHECK(rendered("{{ d }} {{ d | tojson }}", {{"d", {{"b", 1}, {"a", 2}}}}) ==
        "{'b': 1, 'a': 2} {\"b\": 1, \"a\": 2}");
}

TEST_CASE("numbers are written as Python writes them", "[data][jinja]") {
  CHECK(rendered("{{ 1.0 }} {{ 1e16 }} {{ 1e-5 }} {{ 0.1 + 0.2 }} {{ 7 // -2 }} {{ 7 % -2 }}") ==
        "1.0 1e+16 1e-05 0.30000000000000004 -4 -1");
}

TEST_CASE("strftime_now tells the time it was given", "[data][jinja]") {
  CHECK(rendered("{{ strftime_now('%d %b %Y') }}") == "06 Jul 2024");
}

TEST_CASE("a part of a text is counted in characters", "[data][jinja]") {
  CHECK(rendered("{{ 'größer'[2:4] }} {{ 'größer'|length }} {{ 'größer'.find('er') }}") ==
        "öß 6 4");
}
