#include "tests/data/jinja/rendered.h"

using dualpath::testing::refusal;

TEST_CASE("what is not supported is refused by its name and line", "[data][jinja]") {
  CHECK(refusal("a\n{% include 'x' %}") == "t:2: the tag 'include' is not supported");
  CHECK(refusal("{{ 1 }}\n{{ 'a' | xmlattr }}") == "t:2: the filter 'xmlattr' is not supported");
  CHECK(refusal("{{ 1 is filter }}") == "t:1: the test 'filter' is not supported");
  CHECK(refusal("{{ 'a'.encode() }}") == "t:1: the method encode of a str is not supported");
  CHECK(refusal("{{ [].append(1) }}") == "t:1: the method append of a list is not supported");
  CHECK(refusal("{{ joiner() }}") == "t:1: 'joiner' is not supported");
  CHECK(refusal("{% macro m() %}{{ varargs }}{% endmacro %}{{ m() }}") ==
        "t:1: 'varargs' is not supported");
  CHECK(refusal("{% for x in [] recursive %}") == "t:1: recursive loops are not supported");
  CHECK(refusal("{% macro m(a) %}{% endmacro %}{{ m.arguments }}") ==
        "t:1: the attribute 'arguments' of a macro is not supported");
  CHECK(refusal("{{ strftime_now('%f') }}") == "t:1: strftime_now: %f is not supported");
  CHECK(refusal("{{ strftime_now('%-z') }}") == "t:1: strftime_now: %-z is not supported");
  CHECK(refusal("{{ 'a' is sameas 'a' }}") ==
        "t:1: sameas between values of kind str is not supported");
  CHECK(refusal("{{ f(*a) }}") == "t:1: '*' before an argument is not supported");
}

TEST_CASE("a broken template is refused with its line", "[data][jinja]") {
  CHECK(refusal("{{ 1 +") == "t:1: a tag without an end: expected }}");
  CHECK(refusal("\n{% if a %}x") == "t:2: expected endif, got the end of the template");
  CHECK(refusal("{% if a %}{% endfor %}") == "t:1: the tag 'endfor' is not supported");
  CHECK(refusal("{# a") == "t:1: a comment without an end");
  CHECK(refusal("{{ 'a }}") == "t:1: a string without an end");
  CHECK(refusal("{{ a b }}") == "t:1: expected '}}', got 'b'");
  CHECK(refusal("{{ (1] }}") == "t:1: unexpected ']'");
  CHECK(refusal("{{ a $ }}") == "t:1: unexpected character '$'");
  CHECK(refusal("{% break %}") == "t:1: break outside a loop");
  CHECK(refusal("{% for x in [] %}{% generation %}{% continue %}{% endgeneration %}{% endfor %}") ==
        "t:1: continue outside a loop");
  CHECK(refusal("\xff") == "t: not UTF-8");
  CHECK(refusal("{{ 01 }}") == "t:1: expected '}}', got a number");
  CHECK(refusal("{{ 0_1 }}") == "t:1: expected '}}', got '_1'");
  CHECK(refusal("{% set a, = [1] %}") == "t:1: expected a name, got '='");
  CHECK(refusal("{% for loop in [] %}{% endfor %}") == "t:1: 'loop' cannot be a loop's own name");
  CHECK(refusal("{% set true = 1 %}") == "t:1: 'true' cannot be set");
  CHECK(refusal("{{ f(a=1, a=2) }}") == "t:1: the argument 'a' is given twice");
  CHECK(refusal("{% macro m(a=1, b) %}{% endmacro %}") ==
        "t:1: a parameter without a default behind one with");
  CHECK(refusal("{{ '\\é' }}") ==
        "t:1: a backslash before a character that is not ASCII is not supported");
}

TEST_CASE("what a template says against a conversation is the error", "[data][jinja]") {
  CHECK(refusal("{% if true %}\n{{ raise_exception('Roles must alternate\n!') }}{% endif %}") ==
        "t:2: the template refuses this conversation: Roles must alternate\\n!");
}

TEST_CASE("an undefined value can be printed but not looked into", "[data][jinja]") {
  CHECK(refusal("{{ a.b }}") == "t:1: 'a' is undefined");
  CHECK(refusal("{{ m.x.y }}", {{"m", {{"z", 1}}}}) == "t:1: 'x' is undefined");
  CHECK(refusal("{{ a + 'x' }}") == "t:1: 'a' is undefined");
}

TEST_CASE("values of kinds that do not fit are refused", "[data][jinja]") {
  CHECK(refusal("{{ 'a' + 1 }}") == "t:1: '+' is not supported between str and int");
  CHECK(refusal("{{ 1 < 'a' }}") == "t:1: '<' is not supported between int and str");
  CHECK(refusal("{% for x in 3 %}{% endfor %}") == "t:1: cannot loop over a value of kind int");
  CHECK(refusal("{{ 1 / 0 }}") == "t:1: division by zero");
  CHECK(refusal("{{ 9223372036854775807 + 1 }}") == "t:1: a number is too large");
  CHECK(refusal("{{ 'a'.replace('b') }}") == "t:1: replace: new: expected a str, got nothing");
  CHECK(refusal("{% set a, b = [1] %}") == "t:1: 2 names for 1 values");
  CHECK(refusal("{{ x | indent }}", {{"x", 7}}) == "t:1: indent: expected a str, got int");
  CHECK(refusal("{{ 'a' | indent(none) }}") == "t:1: indent: width: expected an int, got none");
  CHECK(refusal("{{ 'a'.replace('a', 'b', none) }}") ==
        "t:1: replace: count: expected an int, got none");
  CHECK(refusal("{{ 1 is eq(other=1) }}") == "t:1: eq takes no named arguments");
  CHECK(refusal("{{ {}.get(key='a') }}") == "t:1: get takes no named arguments");
  CHECK(refusal("{{ 'a'.startswith(['a']) }}") ==
        "t:1: startswith: text: expected a str, got list");
  CHECK(refusal("{{ range() }}") == "t:1: range: start: expected an int, got nothing");
  CHECK(refusal("{{ namespace(_x=1) }}") == "t:1: a namespace takes no name with '_' before it");
  CHECK(refusal("{{ namespace(f=range) }}") ==
        "t:1: a function inside a namespace is not supported");
}
