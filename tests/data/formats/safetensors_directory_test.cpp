#include "data/formats/safetensors_directory.h"

#include <catch2/catch.hpp>

#include "data/files/atomic_file.h"
#include "data/formats/safetensors_writer.h"
#include "tests/support/error_message.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::data;
using namespace dualpath::testing;

namespace {

void write_shard(const std::filesystem::path& path, const std::string& name,
                 std::string_view content) {
  write_safetensors(path, {{name,
                            {DType::kU8,
                             {static_cast<std::int64_t>(content.size())},
                             std::as_bytes(std::span(content))}}});
}

/// The error of opening two shards, a in one and b in two, whose index says weight_map.
std::string index_error(const std::string& weight_map) {
  const TemporaryDirectory directory;
  write_shard(directory / "one.safetensors", "a", "A");
  write_shard(directory / "two.safetensors", "b", "B");
  write_file(directory / "model.safetensors.index.json", "{\"weight_map\": " + weight_map + "}");
  const std::string message = error_message([&] { SafetensorsDirectory{directory.path()}; });
  const std::string prefix = directory.path().string() + "/";
  REQUIRE_THAT(message, Catch::StartsWith(prefix));
  std::string rest = message.substr(prefix.size());
  while (rest.find(prefix) != std::string::npos) rest.erase(rest.find(prefix), prefix.size());
  return rest;
}

}  // namespace

TEST_CASE("a directory with one model.safetensors is that file", "[formats][safetensors]") {
  const TemporaryDirectory directory;
  write_shard(directory / "model.safetensors", "a", "A");
  const SafetensorsDirectory model(directory.path());
  CHECK(model.names() == std::vector<std::string>{"a"});
  CHECK(model.tensor("a").bytes[0] == std::byte{'A'});
  CHECK(model.readers().size() == 1);
}

TEST_CASE("a directory with an index finds each tensor in its shard", "[formats][safetensors]") {
  const TemporaryDirectory directory;
  write_shard(directory / "two.safetensors", "b", "B");
  write_shard(directory / "one.safetensors", "a", "A");
  write_file(
      directory / "model.safetensors.index.json",
      R"({"metadata": {"total_size": 2}, "weight_map": {"b": "two.safetensors", "a": "one.safetensors"}})");
  const SafetensorsDirectory model(directory.path());
  CHECK(model.names() == std::vector<std::string>{"a", "b"});
  CHECK(model.tensor("b").bytes[0] == std::byte{'B'});
  CHECK(&model.reader_of("a") == model.readers()[0].get());
  CHECK(&model.reader_of("b") == model.readers()[1].get());
  CHECK_FALSE(model.contains("c"));
  CHECK(error_message([&] { model.tensor("c"); }) ==
        directory.path().string() + ": has no tensor c");
}

TEST_CASE("a wrong index is an Error naming tensor and shard", "[formats][safetensors]") {
  const std::string index = "model.safetensors.index.json: ";
  CHECK(index_error(R"({"a": "three.safetensors"})") ==
        index + "a: its shard three.safetensors does not exist");
  CHECK(index_error(R"({"a": "two.safetensors"})") ==
        index + "a: is not in its shard two.safetensors");
  CHECK(index_error(R"({"a": "two.safetensors", "b": "one.safetensors"})") ==
        index + "a: is not in its shard two.safetensors but in one.safetensors");
  CHECK(index_error(R"({"a": 1})") == index + "weight_map.a: expected a string, got 1");
  CHECK(index_error("[]") == index + "weight_map: expected an object, got an array");
  for (const std::string shard :
       {"../one.safetensors", "/etc/passwd", "..", "", "x/one.safetensors"}) {
    CHECK(index_error("{\"a\": \"" + shard + "\"}") ==
          index + "a: expected the name of a file beside it, got \"" + shard + "\"");
  }
}

TEST_CASE("weights that are links are followed, wherever they lead", "[formats][safetensors]") {
  namespace fs = std::filesystem;
  const TemporaryDirectory cache;
  const fs::path model = cache / "model";
  fs::create_directories(model);
  fs::create_directory(cache / "elsewhere");
  write_shard(cache / "elsewhere/5e", "a", "A");
  SECTION("in one file") {
    fs::create_symlink("../elsewhere/5e", model / "model.safetensors");
    CHECK(SafetensorsDirectory(model).tensor("a").bytes[0] == std::byte{'A'});
    fs::remove(cache / "elsewhere/5e");
    CHECK(error_message([&] { SafetensorsDirectory{model}; }) ==
          (model / "model.safetensors").string() +
              ": is a link to ../elsewhere/5e, which does not exist");
  }
  SECTION("in shards") {
    write_file(model / "model.safetensors.index.json",
               R"({"weight_map": {"a": "one.safetensors"}})");
    fs::create_symlink("../elsewhere/5e", model / "one.safetensors");
    CHECK(SafetensorsDirectory(model).tensor("a").bytes[0] == std::byte{'A'});
    fs::remove(cache / "elsewhere/5e");
    CHECK(error_message([&] { SafetensorsDirectory{model}; }) ==
          (model / "one.safetensors").string() +
              ": is a link to ../elsewhere/5e, which does not exist");
  }
}

TEST_CASE("all tensors of a shard are the model's, listed or not, and each has one shard",
          "[formats][safetensors]") {
  const TemporaryDirectory directory;
  write_safetensors(directory / "one.safetensors",
                    {{"a", {DType::kU8, {1}, std::as_bytes(std::span("A", 1))}},
                     {"unlisted", {DType::kU8, {1}, std::as_bytes(std::span("U", 1))}}});
  write_shard(directory / "two.safetensors", "b", "B");
  write_file(directory / "model.safetensors.index.json",
             R"({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})");
  CHECK(SafetensorsDirectory(directory.path()).names() ==
        std::vector<std::string>{"a", "b", "unlisted"});
  write_safetensors(directory / "two.safetensors",
                    {{"a", {DType::kU8, {1}, std::as_bytes(std::span("X", 1))}},
                     {"b", {DType::kU8, {1}, std::as_bytes(std::span("B", 1))}}});
  CHECK(error_message([&] { SafetensorsDirectory{directory.path()}; }) ==
        (directory / "two.safetensors").string() + ": a: is in " +
            (directory / "one.safetensors").string() + ", too");
}

TEST_CASE("a directory without a model is an Error that says what was looked for",
          "[formats][safetensors]") {
  const TemporaryDirectory directory;
  CHECK(error_message([&] { SafetensorsDirectory{directory.path()}; }) ==
        directory.path().string() +
            ": expected model.safetensors or model.safetensors.index.json in it");
}
