#include "data/base/error.h"

#include <catch2/catch.hpp>

using namespace dualpath;

TEST_CASE("each kind of Error knows its exit code and is caught as an Error", "[base][error]") {
  const auto exit_code_of = [](auto thrower) {
    try {
      thrower();
    } catch (const Error& error) {
      return error.exit_code();
    }
    return kDone;
  };
  CHECK(exit_code_of([] { throw Error("{}: expected {}", "a.json", 3); }) == kFailure);
  CHECK(exit_code_of([] { throw UsageError("no such command"); }) == kUsage);
  CHECK(exit_code_of([] { throw Interrupted("interrupted"); }) == kInterrupted);
}

TEST_CASE("printable() keeps a message on one line and short", "[base][error]") {
  CHECK(printable("model.layers.0.größe") == "model.layers.0.größe");
  CHECK(printable("a\nb\x01") == "a\\nb\\x01");
  CHECK(printable("\xff") == "\\xff");
  CHECK(printable(std::string(1000, 'x')) == std::string(200, 'x'));
}
