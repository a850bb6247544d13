#include "data/text/blend.h"

#include <catch2/catch.hpp>

#include "tests/support/error_message.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::data;
using namespace dualpath::testing;

namespace {

std::string blend_error(const std::string& content) {
  const TemporaryDirectory folder;
  write_plain(folder / "a.blend.json", content);
  return error_message([&] { blend_sources(folder / "a.blend.json"); })
      .substr(folder.path().string().size() + 1);
}

}  // namespace

TEST_CASE("a path that is no blend is its own only source", "[data][blend]") {
  const auto sources = blend_sources("no/such.jsonl");
  REQUIRE(sources.size() == 1);
  CHECK(sources[0].path == "no/such.jsonl");
  CHECK(sources[0].ratio == 1);
}

TEST_CASE("a blend lists paths relative to itself, and ratios", "[data][blend]") {
  const TemporaryDirectory folder;
  write_plain(folder / "a.blend.json",
              R"({"sources": [{"path": "b/c.jsonl", "ratio": 3}, {"path": "/d.txt"}]})");
  const auto sources = blend_sources(folder / "a.blend.json");
  REQUIRE(sources.size() == 2);
  CHECK(sources[0].path == folder / "b/c.jsonl");
  CHECK(sources[0].ratio == 3);
  CHECK(sources[1].path == "/d.txt");
  CHECK(sources[1].ratio == 1);
}

TEST_CASE("what is wrong with a blend is named", "[data][blend]") {
  CHECK(blend_error(R"({"sources": []})") == "a.blend.json: sources: expected at least one");
  CHECK(blend_error(R"({"sources": [{"path": "a", "ratio": 0}]})") ==
        "a.blend.json: sources[0].ratio: expected an integer in [1, 1000], got 0");
  CHECK_THAT(blend_error(R"({"sources": [{"path": "a", "weight": 2}]})"),
             Catch::StartsWith("a.blend.json: sources[0]: weight is not supported"));
  CHECK_THAT(blend_error(R"({"source": [{"path": "a"}]})"),
             Catch::StartsWith("a.blend.json: source is not supported"));
  CHECK(blend_error(R"({"sources": [{"path": "b.blend.json"}]})") ==
        "a.blend.json: sources[0]: path: expected data, got another blend");
}

TEST_CASE("a blend whose samples are all read once lists paths alone", "[data][blend]") {
  const TemporaryDirectory folder;
  CHECK(listed_sources("no/such.jsonl") == std::vector<std::filesystem::path>{"no/such.jsonl"});
  write_plain(folder / "a.blend.json", R"({"sources": [{"path": "b.jsonl"}, {"path": "/c.txt"}]})");
  CHECK(listed_sources(folder / "a.blend.json") ==
        std::vector<std::filesystem::path>{folder / "b.jsonl", "/c.txt"});
  write_plain(folder / "a.blend.json", R"({"sources": [{"path": "b.jsonl", "ratio": 2}]})");
  CHECK_THAT(error_message([&] { listed_sources(folder / "a.blend.json"); }),
             Catch::EndsWith("sources[0]: ratio: expected none, since all samples are read once "
                             "here"));
}
