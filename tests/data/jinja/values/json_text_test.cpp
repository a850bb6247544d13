#include "data/jinja/values/json_text.h"

#include "tests/data/jinja/rendered.h"

using dualpath::testing::refusal;
using dualpath::testing::rendered;

namespace {

const nlohmann::ordered_json kValue{{"v",
                                     {{"b", {1, 2.0, nullptr, true}},
                                      {"a", "é\"\\\n\x01<"},
                                      {"e", nlohmann::ordered_json::array()}}}};

}  // namespace

TEST_CASE("JSON is written as Python's json.dumps writes it", "[data][jinja]") {
  CHECK(rendered("{{ v | tojson }}", kValue) ==
        R"({"b": [1, 2.0, null, true], "a": "é\"\\\n\u0001<", "e": []})");
}

TEST_CASE("JSON can be indented, its separators chosen and its keys sorted", "[data][jinja]") {
  CHECK(rendered("{{ v | tojson(indent=1) }}",
                 {{"v", {{"b", {1}}, {"e", nlohmann::ordered_json::array()}}}}) ==
        "{\n \"b\": [\n  1\n ],\n \"e\": []\n}");
  CHECK(rendered("{{ {'b': 1, 'a': [2, 3]} | tojson(separators=(',', ':'), sort_keys=true) }}") ==
        R"({"a":[2,3],"b":1})");
}

TEST_CASE("JSON may be ASCII only", "[data][jinja]") {
  CHECK(rendered("{{ 'é👍' | tojson(ensure_ascii=true) }}") == R"("\u00e9\ud83d\udc4d")");
  CHECK(rendered("{{ '\x7f' | tojson(ensure_ascii=true) }}") == R"("\u007f")");
}

TEST_CASE("what JSON has not is refused", "[data][jinja]") {
  CHECK(refusal("{{ nothing | tojson }}") == "t:1: tojson: a value of kind undefined has no JSON");
}
