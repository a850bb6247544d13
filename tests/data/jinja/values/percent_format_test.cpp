#include "tests/data/jinja/rendered.h"

using dualpath::testing::refusal;
using dualpath::testing::rendered;

TEST_CASE("format fills values into a text", "[data][jinja]") {
  CHECK(rendered("{{ '%s' | format(x) }}", {{"x", "Köln"}}) == "Köln");
  CHECK(rendered("{{ '%s-%r-%d%%' | format(1, 'a', 2.9) }}") == "1-'a'-2%");
  CHECK(rendered("{{ '%(a)s %(b)05.1f' | format(a=none, b=2.25) }}") == "None 002.2");
  CHECK(rendered("{{ '%s' % 'a' }} {{ '%s %s' % (1, [2]) }} {{ '%(a)s' % {'a': 1} }}") ==
        "a 1 [2] 1");
  CHECK(rendered("{{ 'none' % [] }} {{ 'none' | format }}") == "none none");
}

TEST_CASE("width, precision and flags are Python's", "[data][jinja]") {
  CHECK(rendered("{{ '[%5s|%-5s|%.2s]' % ('äö', 'äö', 'äöü') }}") == "[   äö|äö   |äö]");
  CHECK(rendered("{{ '[%+d|% d|%05d|%-5d|%.3d]' % (1, 2, -3, 4, 5) }}") ==
        "[+1| 2|-0003|4    |005]");
  CHECK(rendered("{{ '%x %#X %#o %#06x' % (255, 255, 8, -255) }}") == "ff 0XFF 0o10 -0x0ff");
  CHECK(rendered("{{ '%*d|%-*d|%.*f' % (3, 1, 3, 2, 1, 0.25) }}") == "  1|2  |0.2");
  CHECK(rendered("{{ '%e %G %g %F' % (1, 1e-10, 1e6, 'inf' | float) }}") ==
        "1.000000e+00 1E-10 1e+06 INF");
  CHECK(rendered("{{ '%c%c' % ('é', 8364) }}") == "é€");
}

TEST_CASE("values that a format cannot take are refused", "[data][jinja]") {
  CHECK(refusal("{{ '%s' | format }}") == "t:1: %: fewer values than the format takes");
  CHECK(refusal("{{ 'a' % 1 }}") == "t:1: %: more values than the format takes");
  CHECK(refusal("{{ '%d' % 'a' }}") == "t:1: %d: expected a number, got str");
  CHECK(refusal("{{ '%x' % 1.5 }}") == "t:1: %x: expected an int, got float");
  CHECK(refusal("{{ '%(a)s' % {} }}") == "t:1: %: there is no value 'a'");
  CHECK(refusal("{{ '%(a' % {} }}") == "t:1: %: a name without an end");
  CHECK(refusal("{{ '%5' % 1 }}") == "t:1: %: the format ends too soon");
  CHECK(refusal("{{ '%5%' % 1 }}") == "t:1: %: a format of the kind '%' is not supported");
  CHECK(refusal("{{ '%a' % 1 }}") == "t:1: %: a format of the kind 'a' is not supported");
  CHECK(refusal("{{ 's' | format(1, a=2) }}") ==
        "t:1: format takes values with names or without, not both");
}

TEST_CASE("the widths of a format are bounded", "[data][jinja]") {
  const std::string stopped = "t:1: the template does too much: it was stopped";
  CHECK(refusal("{{ '%60000000d' % 1 ~ '%60000000d' % 1 }}") == stopped);
  CHECK(refusal("{{ '%.60000000d' % 1 ~ '%.60000000d' % 1 }}") == stopped);
  CHECK(refusal("{{ '%1000000000d' % 1 }}") == "t:1: %: too wide");
  CHECK(refusal("{{ '%*d' % (999999999999, 1) }}") == "t:1: %: too wide");
  CHECK(refusal("{{ '%.99999f' % 1 }}") == "t:1: %: too many digits");
}
