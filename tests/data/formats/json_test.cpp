#include "data/formats/json.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "data/files/atomic_file.h"
#include "tests/support/error_message.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::data;
using namespace dualpath::testing;

namespace {

std::string parse_error(std::string_view text) {
  return error_message([&] { parse_json(text, "a.json"); });
}

/// The error of one look into {"key": value}.
template <class Look>
std::string look_error(const std::string& value, Look look) {
  const JsonObject object = JsonObject::parse("{\"key\": " + value + "}", "config.json");
  return error_message([&] { look(object); });
}

}  // namespace

TEST_CASE("broken JSON is an Error with line and column", "[formats][json]") {
  CHECK_THAT(parse_error("{\"a\": 1,\n  \"b\": x}"),
             Catch::StartsWith("a.json:2:8: not valid JSON: invalid literal"));
  CHECK_THAT(parse_error(""),
             Catch::StartsWith("a.json:1:1: not valid JSON: unexpected end of input"));
  CHECK_THAT(parse_error("{\"a\": \"\xff\"}"),
             Catch::StartsWith("a.json:1:8: not valid JSON: invalid string"));
  CHECK_THAT(parse_error("[1e999]"), Catch::StartsWith("a.json: not valid JSON: number overflow"));
  CHECK_THAT(parse_error("{} {}"), Catch::StartsWith("a.json:1:4: not valid JSON"));
}

TEST_CASE("JSON ends where its value ends: nothing passes behind a NUL byte, nor before it",
          "[formats][json]") {
  CHECK(parse_error(std::string("{}\n\0 x", 6)) == "a.json:2:1: not valid JSON: a NUL byte");
  CHECK(parse_error(std::string("{}\0", 3)) == "a.json:1:3: not valid JSON: a NUL byte");
  CHECK(parse_error("\uFEFF{}") ==
        "a.json:1:1: not valid JSON: expected no byte order mark before it");
}

TEST_CASE("a line of JSON Lines may have the byte order mark of its file", "[formats][json]") {
  CHECK(JsonObject::parse_line("\uFEFF{\"text\": \"a\"}", "a.jsonl:1").string("text") == "a");
}

TEST_CASE("a key given twice is an Error naming it; the same key in two objects is not",
          "[formats][json]") {
  CHECK(parse_error(R"({"a": {"b": 1, "b": 2}})") == "a.json: key b is given twice");
  CHECK(parse_json(R"([{"a": 1}, {"a": {"a": 2}}])", "a.json").size() == 2);
}

TEST_CASE("nesting is limited", "[formats][json]") {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  CHECK_NOTHROW(parse_json(nested(64), "a.json"));
  CHECK(parse_error(nested(65)) == "a.json: expected JSON nested at most 64 deep");
  CHECK(parse_error(std::string(1'000'000, '[')) == "a.json: expected JSON nested at most 64 deep");
}

TEST_CASE("a JSON file larger than any should be is refused unread", "[formats][json]") {
  const TemporaryDirectory directory;
  write_file(directory / "config.json", "{}");
  std::filesystem::resize_file(directory / "config.json", kMaxJsonBytes + 1);
  const std::string refused =
      (directory / "config.json").string() + ": expected at most 67108864 bytes, got 67108865";
  CHECK(error_message([&] { JsonObject::read(directory / "config.json"); }) == refused);
  CHECK(error_message([&] { read_json(directory / "config.json"); }) == refused);
}

TEST_CASE("JsonObject reads each kind of value", "[formats][json]") {
  const TemporaryDirectory directory;
  write_file(directory / "config.json",
             R"({"layers": 30, "theta": 1e4, "eps": 1, "tie": true, "type": "llama",
    "nothing": null, "ids": [1, 2], "factors": [1, 0.5], "names": ["a"], "rope": {"factor": 8}, "parts": [{"n": 1}, {"n": 2}]})");
  const JsonObject config = JsonObject::read(directory / "config.json");
  CHECK(config.integer("layers", kPositive) == 30);
  CHECK(config.number("theta", kPositiveNumber) == 1e4);
  CHECK(config.number("eps") == 1.0);
  CHECK(config.boolean("tie"));
  CHECK(config.string("type") == "llama");
  CHECK(config.integers("ids") == std::vector<std::int64_t>{1, 2});
  CHECK(config.numbers("factors") == std::vector<double>{1, 0.5});
  CHECK(config.strings("names") == std::vector<std::string>{"a"});
  CHECK(config.object("rope").integer("factor") == 8);
  CHECK(config.objects("parts")[1].integer("n") == 2);
  CHECK(config.raw().size() == config.keys().size());
}

TEST_CASE("a missing or null key gives the fallback", "[formats][json]") {
  const JsonObject object = JsonObject::parse(R"({"null": null, "here": 2})", "a.json");
  for (const char* key : {"null", "missing"}) {
    CHECK_FALSE(object.contains(key));
    CHECK(object.integer_or(key, 7) == 7);
    CHECK(object.number_or(key, 0.5) == 0.5);
    CHECK(object.boolean_or(key, true));
    CHECK(object.string_or(key, "silu") == "silu");
    CHECK_FALSE(object.object_if(key));
  }
  CHECK(object.integer_or("here", 7) == 2);
}

TEST_CASE("an object outlives the document it came from", "[formats][json]") {
  const JsonObject inner =
      JsonObject::parse(R"({"a": {"b": {"c": 1}}})", "a.json").object("a").object("b");
  CHECK(inner.integer("c") == 1);
  CHECK(inner.where() == "a.json: a.b");
}

TEST_CASE("an unfit value is an Error with file, key, what was expected and what came",
          "[formats][json]") {
  const auto positive = [](const JsonObject& o) { o.integer("key", kPositive); };
  CHECK(look_error("\"abc\"", positive) ==
        "config.json: key: expected a positive integer, got \"abc\"");
  CHECK(look_error("0", positive) == "config.json: key: expected a positive integer, got 0");
  CHECK(look_error("2.5", positive) == "config.json: key: expected a positive integer, got 2.5");
  CHECK(look_error("18446744073709551615", positive) ==
        "config.json: key: expected a positive integer, got 18446744073709551615");
  CHECK(look_error("null", positive) ==
        "config.json: key: expected a positive integer, but the key is missing");
  CHECK(look_error("-1", [](const JsonObject& o) { o.integer_or("key", 3, kNonNegative); }) ==
        "config.json: key: expected a non-negative integer, got -1");
  CHECK(look_error("9", [](const JsonObject& o) {
          o.integer("key", {2, 8});
        }) == "config.json: key: expected an integer in [2, 8], got 9");
  CHECK(look_error("0", [](const JsonObject& o) { o.number("key", kPositiveNumber); }) ==
        "config.json: key: expected a positive number, got 0");
  CHECK(look_error("2.5", [](const JsonObject& o) {
          o.number("key", {0, 1});
        }) == "config.json: key: expected a number in [0, 1], got 2.5");
  CHECK(look_error("1", [](const JsonObject& o) { o.boolean("key"); }) ==
        "config.json: key: expected true or false, got 1");
  CHECK(look_error("[1]", [](const JsonObject& o) { o.string("key"); }) ==
        "config.json: key: expected a string, got an array");
  CHECK(look_error("3", [](const JsonObject& o) { o.object("key"); }) ==
        "config.json: key: expected an object, got 3");
  CHECK(look_error("[1, \"x\"]", [](const JsonObject& o) { o.integers("key"); }) ==
        "config.json: key[1]: expected an integer, got \"x\"");
  CHECK(look_error("[{}, {\"n\": {}}]", [](const JsonObject& o) {
          o.objects("key")[1].object("n").string("s");
        }) == "config.json: key[1].n.s: expected a string, but the key is missing");
  CHECK(error_message([] { JsonObject::parse("[1]", "config.json"); }) ==
        "config.json: expected an object, got an array");
}

TEST_CASE("what came is shown short and on one line", "[formats][json]") {
  const std::string message = look_error('"' + std::string(5000, 'x') + "\\n\"",
                                         [](const JsonObject& o) { o.integer("key"); });
  CHECK(message.size() < 120);
  CHECK(message.find('\n') == std::string::npos);
}
