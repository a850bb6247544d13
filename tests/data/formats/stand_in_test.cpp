#include "data/formats/stand_in.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "data/formats/gguf.h"
#include "data/formats/json.h"
#include "data/formats/safetensors.h"
#include "data/formats/safetensors_directory.h"
#include "tests/support/error_message.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::data;
using namespace dualpath::testing;

namespace {

const std::string kPointer =
    "version https://git-lfs.github.com/spec/v1\noid sha256:" + std::string(64, '0') +
    "\nsize 78536\n";

/// The error of a reader given a file of this content, less its path.
template <class Read>
std::string error_of(const std::string& content, Read read) {
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory / "x";
  write_plain(file, content);
  return error_message([&] { read(file); }).substr(file.string().size() + 2);
}

const auto kReadJson = [](const auto& file) { read_json(file); };
const auto kReadSafetensors = [](const auto& file) { SafetensorsReader reader(file); };
const auto kReadGguf = [](const auto& file) { GgufReader reader(file); };

/// The errors of all readers, which must be the same.
std::string error_of(const std::string& content) {
  const std::string message = error_of(content, kReadJson);
  CHECK(error_of(content, kReadSafetensors) == message);
  CHECK(error_of(content, kReadGguf) == message);
  return message;
}

}  // namespace

TEST_CASE("a Git LFS pointer in a file's place is named, with the way to the file", "[formats]") {
  CHECK(error_of(kPointer) ==
        "is a Git LFS pointer, not the file it stands for; in its repository, \"git lfs install && "
        "git lfs pull\" gets the file");
}

TEST_CASE("a page of a server in a file's place is named", "[formats]") {
  for (const char* page : {"\n <!DOCTYPE HTML>\n<html><title>Sign in</title></html>\n",
                           "<html lang=\"en\">", "\uFEFF<?xml version=\"1.0\"?><Error/>"}) {
    INFO(page);
    CHECK(error_of(page) ==
          "is an HTML page, as a server gives to sign in or to say what went wrong, not the file; "
          "download it again");
  }
}

TEST_CASE("other text in the place of weights is shown", "[formats]") {
  for (const auto& [text, start] :
       {std::pair{"no file", "no file"}, {"Entry not found\n", R"(Entry not found\n)"}}) {
    const std::string message = fmt::format("is text, not weights; it starts with \"{}\"", start);
    CHECK(error_of(text, kReadSafetensors) == message);
    CHECK(error_of(text, kReadGguf) == message);
  }
}

TEST_CASE("broken weights and broken JSON are none of these", "[formats]") {
  CHECK_THAT(error_of("", kReadSafetensors), Catch::Contains("got 0 bytes"));
  CHECK_THAT(error_of(std::string(16, '\x1F'), kReadSafetensors),
             Catch::Contains("expected a safetensors header"));
  CHECK_THAT(error_of(std::string("\0\0\0\0", 4), kReadGguf), Catch::Contains("no GGUF file"));
  CHECK_THAT(error_of("version", kReadJson), Catch::Contains("not valid JSON"));
}

TEST_CASE("a pointer in a shard's place names the shard", "[formats]") {
  const TemporaryDirectory directory;
  write_plain(directory / "model.safetensors.index.json",
              R"({"weight_map": {"a": "model-00001-of-00001.safetensors"}})");
  write_plain(directory / "model-00001-of-00001.safetensors", kPointer);
  CHECK_THAT(error_message([&] { SafetensorsDirectory opened(directory.path()); }),
             Catch::Contains("model-00001-of-00001.safetensors: is a Git LFS pointer"));
}
