#include "data/formats/safetensors_writer.h"

#include <rapidcheck.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "data/files/file.h"
#include "data/formats/safetensors.h"
#include "tests/support/bytes.h"
#include "tests/support/child_process.h"
#include "tests/support/error_message.h"
#include "tests/support/full_disk.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::data;
using namespace dualpath::testing;

namespace {

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

const std::vector<TensorInfo> kTwo{{"codes", DType::kI8, {3}}, {"scale", DType::kF32, {1}}};

}  // namespace

TEST_CASE("what SafetensorsWriter wrote is what SafetensorsReader reads",
          "[formats][safetensors]") {
  const TemporaryDirectory directory;
  CHECK(rc::check([&](const std::map<std::string, std::pair<std::uint8_t, std::vector<double>>>&
                          content) {
    std::vector<std::pair<std::string, TensorView>> tensors;
    for (const auto& [key, value] : content) {
      const auto dtype = static_cast<DType>(value.first % 13);
      const auto bytes = std::as_bytes(std::span(value.second));
      const auto numel = static_cast<std::int64_t>(bytes.size() / size_of(dtype));
      // A hexadecimal name: RapidCheck's strings are not UTF-8.
      tensors.push_back({fmt::format("{:02x}", fmt::join(key, "")), {dtype, {numel, 1}, bytes}});
    }
    write_safetensors(directory / "x", tensors, {{"note", "größe\n\"quoted\""}});
    const SafetensorsReader reader(directory / "x");
    reader.verify();
    RC_ASSERT(reader.names().size() == tensors.size());
    RC_ASSERT(reader.metadata().at("note") == "größe\n\"quoted\"");
    for (const auto& [name, tensor] : tensors) {
      const TensorView& read = reader.tensor(name);
      RC_ASSERT(read.dtype == tensor.dtype);
      RC_ASSERT(read.shape == tensor.shape);
      RC_ASSERT(read.aligned());
      RC_ASSERT(text_of(read.bytes) == text_of(tensor.bytes));
    }
  }));
}

TEST_CASE("the order of append changes nothing in the file", "[formats][safetensors]") {
  const TemporaryDirectory directory;
  for (const bool codes_first : {true, false}) {
    SafetensorsWriter writer(directory / (codes_first ? "one" : "other"), kTwo);
    if (codes_first) writer.append("codes", bytes_of("abc"));
    writer.append("scale", bytes_of("1234"));
    if (!codes_first) writer.append("codes", bytes_of("abc"));
    writer.commit();
  }
  const std::string file = read_file(directory / "one");
  CHECK(file == read_file(directory / "other"));
  CHECK_THAT(file, Catch::EndsWith("1234abc"));  // the larger elements first
  CHECK((file.size() - 7) % 8 == 0);
}

TEST_CASE("a written file says format pt, and verify() finds a changed byte",
          "[formats][safetensors]") {
  const TemporaryDirectory directory;
  const std::string path = directory / "x";
  write_safetensors(path, {{"a", {DType::kU8, {4}, bytes_of("abcd")}}});
  CHECK(SafetensorsReader(path).metadata().at("format") == "pt");
  // SHA-256 of "abcd", of "abce"
  CHECK(SafetensorsReader(path).metadata().at("data_sha256") ==
        "88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589");
  std::string damaged = read_file(path);
  damaged.back() = 'e';
  write_file(path, damaged);
  CHECK_THAT(error_message([&] { SafetensorsReader(path).verify(); }),
             Catch::StartsWith(path + ": the data is damaged: expected SHA-256 88d4266f"));
}

TEST_CASE("misuse of SafetensorsWriter is an Error naming the tensor", "[formats][safetensors]") {
  const TemporaryDirectory directory;
  const std::string path = directory / "x";
  {
    SafetensorsWriter writer(path, kTwo);
    CHECK(error_message([&] { writer.append("other", bytes_of("abc")); }) ==
          path + ": other: is not in the header");
    CHECK(error_message([&] { writer.append("codes", bytes_of("ab")); }) ==
          path + ": codes: expected 3 bytes, got 2");
    writer.append("codes", bytes_of("abc"));
    CHECK(error_message([&] { writer.append("codes", bytes_of("abc")); }) ==
          path + ": codes: is written twice");
    CHECK(error_message([&] { writer.commit(); }) == path + ": scale: was not written");
  }
  const auto open = [&](const std::string& name, std::vector<std::int64_t> shape) {
    return error_message([&] {
      SafetensorsWriter(path, {{"a", DType::kU8, {1}}, {name, DType::kU8, shape}});
    });
  };
  CHECK(open("a", {1}) == path + ": a: expected each tensor under a name of its own");
  CHECK(open("__metadata__", {1}) ==
        path + ": __metadata__: expected each tensor under a name of its own");
  CHECK(open("b", {-1}) == path + ": b: [-1] is no shape");
  CHECK(open("\xff", {1}) == path + ": expected tensor names and metadata in UTF-8");
  CHECK(std::filesystem::is_empty(directory.path()));
}

TEST_CASE("a disk that fills up while tensors are written leaves nothing",
          "[formats][safetensors]") {
  const TemporaryDirectory directory;
  const ChildEnd end = in_child([&] {
    limit_file_size(10'000);
    const std::string large(20'000, 'x');
    const std::string message = error_message([&] {
      write_safetensors(directory / "x", {{"a", {DType::kU8, {20'000}, bytes_of(large)}}});
    });
    return message.find((directory / "x").string()) == 0 &&
                   std::filesystem::is_empty(directory.path())
               ? 0
               : 1;
  });
  CHECK(end.code == 0);
}
