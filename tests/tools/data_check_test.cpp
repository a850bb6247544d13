#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/plain_file.h"
#include "tests/support/program.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath::testing;
using Catch::Contains;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

ProgramEnd checked(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {DUALPATH_PROGRAM, "data", "check"});
  return run_program({std::move(arguments)});
}

}  // namespace

TEST_CASE("data check counts good samples and ends with 0", "[tools][data]") {
  const fs::path samples = "build/reference/composition/samples.jsonl";
  const ProgramEnd end = checked({samples.string(), "--model", "build/reference/composition/model",
                                  "--window", "512", "--json"});
  INFO(end.err);
  REQUIRE(end.code == 0);
  const json result = json::parse(end.out);
  CHECK(result["mistakes"].empty());
  CHECK(result["all"]["samples"].get<int>() > 0);
  CHECK(result["all"]["pictures"].get<int>() > 0);
  CHECK(result["all"]["clips"].get<int>() > 0);
  CHECK(result["all"]["tokens"] > result["all"]["targets"]);
}

TEST_CASE("data check names all mistakes and ends with 1", "[tools][data]") {
  const TemporaryDirectory files;
  write_plain(files / "a.jsonl", "{\"text\": \"a\"}\n{\"text\": 1}\n{\"body\": 1}\n");
  const std::string file = (files / "a.jsonl").string();
  const ProgramEnd end = checked({file});
  CHECK(end.code == 1);
  CHECK_THAT(end.out, Contains(file + ":2: text: expected a string, got 1\n" + file + ":3: ") &&
                          Contains("2 mistakes"));
  CHECK_THAT(end.err, !Contains("dualpath: "));
  CHECK(checked({file, "--window", "9"}).code == 2);
  CHECK(checked({"a.pdf"}).code == 1);
}
