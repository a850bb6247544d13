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
  CHECK(rendered("[{{ strftime_now('%Z%z') }}] {{ strftime_now('%-d %%Z') }}") == "[] 6 %Z");
}

TEST_CASE("a part of a text is counted in characters", "[data][jinja]") {
  CHECK(rendered("{{ 'größer'[2:4] }} {{ 'größer'|length }} {{ 'größer'.find('er') }}") ==
        "öß 6 4");
  CHECK(rendered("{{ 'größer'.find('r', 2) }} {{ 'größer'.startswith('ö', 2) }} "
                 "{{ 'größer'.endswith('ß', 0, -2) }} {{ 'größer'.count('r', -1) }} "
                 "{{ 'ab'.find('', 2) }} {{ 'ab'.find('', 3) }}") == "5 True True 1 2 -1");
}

TEST_CASE("a loop's targets may stand inside one another", "[data][jinja]") {
  CHECK(rendered("{% for a, (b, c) in x %}{{ a }}{{ b }}{{ c }}{% endfor %}",
                 {{"x", {{1, {2, 3}}}}}) == "123");
  CHECK(rendered("{% set (a, (b,)), c = [1, [2]], 3 %}{{ a }}{{ b }}{{ c }}") == "123");
  CHECK(rendered("{% for x, in [[1], [2]] %}{{ x }}{% endfor %}") == "12");
}

TEST_CASE("a loop's else is for loops of which no round came to its end", "[data][jinja]") {
  const std::string loop = "{% for x in [1, 2] %}{{ x }}";
  CHECK(rendered(loop + "{% else %}E{% endfor %}") == "12");
  CHECK(rendered(loop + "{% continue %}{% else %}E{% endfor %}") == "12E");
  CHECK(rendered(loop + "{% break %}{% else %}E{% endfor %}") == "1E");
  CHECK(rendered(loop + "{% if x == 2 %}{% break %}{% endif %}{% else %}E{% endfor %}") == "12");
}

TEST_CASE("a name that a body sets before it reads it is no variable's, in loops before, too",
          "[data][jinja]") {
  const std::string loop = "{% for i in [1] %}[{{ x }}]{% endfor %}", set = "{% set x = 1 %}";
  CHECK(rendered(loop, {{"x", "X"}}) == "[X]");
  CHECK(rendered(loop + set + loop, {{"x", "X"}}) == "[][1]");
  CHECK(rendered("{{ x }}" + loop + set, {{"x", "X"}}) == "X[X]");
  CHECK(rendered("{% if x is defined %}" + set + "{% endif %}" + loop, {{"x", "X"}}) == "[1]");
  CHECK(rendered("{% if false %}" + set + "{% endif %}" + loop, {{"x", "X"}}) == "[X]");
}

TEST_CASE("a name set in a loop's else is gone behind it", "[data][jinja]") {
  CHECK(rendered("{% for x in [] %}{% else %}{% set y = 1 %}{{ y }}{% endfor %}[{{ y }}]") ==
        "1[]");
}

TEST_CASE("a loop's condition is looked at when its item comes", "[data][jinja]") {
  const std::string body = "{% set n.left = n.left - 1 %}{% endfor %}";
  CHECK(rendered("{% set n = namespace(left=2) %}{% for x in [1, 2, 3] if n.left > 0 %}{{ x }}" +
                 body) == "12");
  CHECK(rendered("{% set n = namespace(left=2) %}{% for x in [1, 2, 3] if n.left > 0 %}"
                 "{{ x }}{{ loop.last }}{{ loop.nextitem }} " +
                 body) == "1False2 2False3 3True ");
}

TEST_CASE("a block that a loop is left from prints nothing", "[data][jinja]") {
  CHECK(rendered("{% for x in [1, 2, 3] %}{% filter upper %}a{% if x == 2 %}{% break %}{% endif %}"
                 "{% endfilter %}{{ x }}{% endfor %}") == "A1");
  CHECK(rendered("{% for x in [1, 2] %}{% set y %}a{% continue %}{% endset %}{{ y }}{% endfor %}")
            .empty());
}

TEST_CASE("every line is indented, whatever ended it", "[data][jinja]") {
  const nlohmann::ordered_json x{{"x", "a\r\nb\u2028\u2028c\n"}};
  CHECK(rendered("{{ x | indent(2) }}", x) == "a\n  b\n\n  c\n");
  CHECK(rendered("{{ x | indent('> ', true, true) }}", x) == "> a\n> b\n> \n> c\n> ");
}

TEST_CASE("an attribute that is missing on the way has a default", "[data][jinja]") {
  const nlohmann::ordered_json list{{"l", {{{"o", {{"p", 1}}}}, {{"q", 1}}}}};
  CHECK(rendered("{{ l | map(attribute='o.p', default='?') | list }}", list) == "[1, '?']");
  CHECK(rendered("{{ {'a': 1} | attr('a') is defined }}") == "False");
  CHECK(rendered("{{ l | selectattr('q', '==', 1) | list | length }}", list) == "1");
  CHECK(rendered("{{ [{'a': 2, 'b': 1}, {'a': 1, 'b': 1}] | sort(attribute='b,a') }}") ==
        "[{'a': 1, 'b': 1}, {'a': 2, 'b': 1}]");
}

TEST_CASE("what stands inside {% generation %} is known by its place", "[data][jinja]") {
  using Ranges = std::vector<dualpath::ByteRange>;
  const auto generated = [](const std::string& source) {
    return dualpath::data::jinja::Template(source, "t")
        .rendering(nlohmann::ordered_json::object(), dualpath::testing::fixed_time())
        .generated;
  };
  CHECK(generated("ä{% generation %}bc{% endgeneration %}d{% generation %}e{% endgeneration %}") ==
        Ranges{{2, 4}, {5, 6}});
  CHECK(generated("{% for i in [1, 2] %}a{% generation %}{{ i }}{% endgeneration %}{% endfor %}") ==
        Ranges{{1, 2}, {3, 4}});
  CHECK(generated("{% generation %}{% endgeneration %}").empty());
  CHECK(generated("{% macro m() %}{% generation %}a{% endgeneration %}{% endmacro %}b{{ m() }}"
                  "{% set x %}{% generation %}c{% endgeneration %}{% endset %}"
                  "{% generation %}{{ m() }}{% endgeneration %}") == Ranges{{2, 3}});
}
