#include "tests/data/jinja/rendered.h"

using dualpath::testing::refusal;
using dualpath::testing::rendered;

TEST_CASE("a dict's keys, values and items and a range have texts of their own", "[data][jinja]") {
  CHECK(rendered("{{ {'a': 1}.keys() }} {{ {'a': 1}.values() }} {{ {'a': 1}.items() }}") ==
        "dict_keys(['a']) dict_values([1]) dict_items([('a', 1)])");
  CHECK(rendered("{{ range(3) }} {{ range(9, 0, -2)[1:3] }}") == "range(0, 3) range(7, 3, -2)");
  CHECK(rendered("[{{ {'a': 1}.keys()[0] }}] {{ range(3)[-1] }}") == "[] 2");
  CHECK(rendered("{{ {'a': 1, 'b': 2}.keys() == {'b': 0, 'a': 0}.keys() }}"
                 "{{ {'a': 1}.keys() is sequence }}{{ range(2) is sequence }}") == "TrueFalseTrue");
  CHECK(refusal("{{ range(3) | tojson }}") == "t:1: tojson: a value of kind range has no JSON");
  CHECK(refusal("{{ {}.items() + [] }}") ==
        "t:1: '+' is not supported between dict_items and list");
}

TEST_CASE("map, select and their like give what is true and has no length", "[data][jinja]") {
  CHECK(rendered("{% if [] | select %}true{% endif %} {{ [1] | map('string') | list }}") ==
        "true ['1']");
  CHECK(rendered("{{ none | map(attribute='a') | list }} {{ [2, 1] | reverse | list }}") ==
        "[] [1, 2]");
  CHECK(refusal("{{ [1] | map('string') | length }}") == "t:1: a generator has no length");
  CHECK(refusal("{{ [1] | select }}") == "t:1: a generator has no text");
  CHECK(refusal("{{ [1] | reverse | last }}") == "t:1: last: a generator has no end");
  CHECK(refusal("{% set x = [1] | select %}{{ x | list }}{{ x | list }}") ==
        "t:1: a generator that is looped over twice is not supported: make it a list");
}

TEST_CASE("an undefined value is an empty sequence and no number", "[data][jinja]") {
  CHECK(rendered("{{ a is sequence }}{{ a is iterable }}{{ a | length }}{{ a | list }}"
                 "{{ a == b }}{{ 'x' in a }}") == "TrueTrue0[]TrueFalse");
  for (const char* use : {"a | int", "a | float", "-a", "a < 1", "a % 2", "a[0]"})
    CHECK(refusal("{{ " + std::string(use) + " }}") == "t:1: 'a' is undefined");
  CHECK(refusal("{{ a | indent }}") == "t:1: indent: expected a str, got undefined");
  CHECK(refusal("{{ a | abs }}") == "t:1: 'a' is undefined");
}

TEST_CASE("numbers are exact or refused", "[data][jinja]") {
  CHECK(
      rendered("{{ 1e18 | int }} {{ '1_000' | int }} {{ '١٢' | int }} {{ 'ff' | int(base=16) }}") ==
      "1000000000000000000 1000 12 255");
  CHECK(rendered("{{ 123456789012345678 in [123456789012345680.0] }} {{ -3 // -0.1 }}") ==
        "False 29.0");
  CHECK(rendered("{{ 7 | round(1) }} {{ 2.675 | round(2) }} {{ 7.1 | round(method='ceil') }} "
                 "{{ 2.15 | round(1, 'floor') }}") == "7 2.67 8.0 2.1");
  CHECK(refusal("{{ 1e20 | int }}") == "t:1: a number is too large");
  CHECK(refusal("{{ '99999999999999999999' | int }}") == "t:1: a number is too large");
  CHECK(refusal("{{ x }}", {{"x", 18446744073709551615U}}) == "t:1: a number is too large");
  CHECK(refusal("{{ 10.0 ** 400 }}") == "t:1: a number is too large");
  CHECK(refusal("{{ 123456789012345678 / 3 }}") == "t:1: a number is too large");
  CHECK(refusal("{{ 0 ** -1 }}") == "t:1: division by zero");
  CHECK(refusal("{{ (-8) ** 0.5 }}") == "t:1: a complex number is not supported");
  CHECK(refusal("{{ (-2) ** x }}", {{"x", 2}}) ==
        "t:1: '**' of a negative number is not supported");
}

TEST_CASE("NaN is neither smaller nor larger nor equal", "[data][jinja]") {
  CHECK(
      rendered("{% set x = 'nan' | float %}{{ x < 1 }}{{ x >= 1 }}{{ x == x }}{{ x | int(9) }}") ==
      "FalseFalseFalse9");
}

TEST_CASE("text that was marked as safe is printed, and not joined to other", "[data][jinja]") {
  CHECK(rendered("{{ '<' | safe }}{{ '<' ~ ('>' | safe) }}{{ ['<' | safe] }}") ==
        "<<>[Markup('<')]");
  CHECK(refusal("{{ '<' + ('>' | safe) }}") ==
        "t:1: '+' with text that was marked as safe is not supported");
  CHECK(refusal("{{ '<' | safe | trim }}") ==
        "t:1: the filter 'trim' behind 'safe' is not supported");
}

TEST_CASE("what cannot be a key is refused where one is looked up", "[data][jinja]") {
  CHECK(refusal("{{ [] in {} }}") == "t:1: a list cannot be a key");
  CHECK(refusal("{{ {}.get(({},)) }}") == "t:1: a dict cannot be a key");
  CHECK(refusal("{{ [[1]] | unique | list }}") == "t:1: a list cannot be a key");
}
