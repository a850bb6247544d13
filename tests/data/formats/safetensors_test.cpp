#include "data/formats/safetensors.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <optional>

#include "data/base/error.h"
#include "tests/data/formats/safetensors_bytes.h"
#include "tests/support/error_message.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::data;
using namespace dualpath::testing;
using dualpath::data::testing::safetensors_bytes;

namespace {

constexpr const char* kHeader =
    R"({"__metadata__": {"format": "pt"}, "b": {"dtype": "I8", "shape": [2, 3], "data_offsets": [8, 14]},)"
    R"( "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}})";
const std::string kData("\0\0\x80\x3f\0\0\0\x40\1\2\3\4\5\6", 14);  // 1.0f, 2.0f; 1 … 6

/// Opens a file of these bytes and touches all that it offers.
void read_all(const std::filesystem::path& path, const std::string& bytes) {
  write_plain(path, bytes);
  const SafetensorsReader reader(path);
  unsigned sum = 0;
  for (const std::string& name : reader.names()) {
    for (const std::byte byte : reader.tensor(name).bytes) sum += static_cast<unsigned>(byte);
  }
  REQUIRE(sum < 1'000'000);
}

/// The error of a file whose header has these entries, less its path; data: 8 bytes.
std::string header_error(const std::string& entries) {
  const TemporaryDirectory directory;
  const std::string path = directory / "x";
  const std::string message =
      error_message([&] { read_all(path, safetensors_bytes("{" + entries + "}", "12345678")); });
  REQUIRE_THAT(message, Catch::StartsWith(path + ": "));
  return message.substr(path.size() + 2);
}

}  // namespace

TEST_CASE("SafetensorsReader hands out names, metadata and tensors", "[formats][safetensors]") {
  const TemporaryDirectory directory;
  write_plain(directory / "x", safetensors_bytes(kHeader, kData));
  const SafetensorsReader reader(directory / "x");
  CHECK(reader.names() == std::vector<std::string>{"a", "b"});
  CHECK(reader.metadata() == std::map<std::string, std::string>{{"format", "pt"}});
  const TensorView& b = reader.tensor("b");
  CHECK(b.dtype == DType::kI8);
  CHECK(b.shape == std::vector<std::int64_t>{2, 3});
  CHECK(b.numel() == 6);
  CHECK(std::memcmp(b.bytes.data(), "\1\2\3\4\5\6", 6) == 0);
  CHECK(reader.contains("a"));
  CHECK_FALSE(reader.contains("c"));
  CHECK_NOTHROW(reader.verify());  // not ours: nothing to compare with
  CHECK_THAT(error_message([&] { reader.tensor("c"); }), Catch::EndsWith("x: has no tensor c"));
}

TEST_CASE("the bytes of a tensor live as long as file() is held", "[formats][safetensors]") {
  const TemporaryDirectory directory;
  write_plain(directory / "x", safetensors_bytes(kHeader, kData));
  std::optional<SafetensorsReader> reader(directory / "x");
  const TensorView b = reader->tensor("b");
  const auto file = reader->file();
  reader.reset();
  CHECK(b.bytes[5] == std::byte{6});
}

TEST_CASE("files without data, and tensors without elements, are fine", "[formats][safetensors]") {
  const TemporaryDirectory directory;
  CHECK_NOTHROW(read_all(directory / "x", safetensors_bytes("{}", "")));
  CHECK_NOTHROW(read_all(
      directory / "x",
      safetensors_bytes(
          R"({"a": {"dtype": "F32", "shape": [0, 3], "data_offsets": [0, 0]}, "s": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}})",
          "1234")));
}

TEST_CASE("a safetensors file cut anywhere is an Error", "[formats][safetensors]") {
  const TemporaryDirectory directory;
  const std::string whole = safetensors_bytes(kHeader, kData);
  REQUIRE_NOTHROW(read_all(directory / "x", whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    INFO("cut to " << size);
    REQUIRE_THROWS_AS(read_all(directory / "x", whole.substr(0, size)), Error);
  }
  REQUIRE_THROWS_AS(read_all(directory / "x", whole + "x"), Error);
}

TEST_CASE("a safetensors header with any bit flipped is read or refused, and never crashes",
          "[formats][safetensors]") {
  const TemporaryDirectory directory;
  const std::string whole = safetensors_bytes(kHeader, kData);
  int refused = 0;
  for (std::size_t bit = 0; bit < 8 * (whole.size() - kData.size()); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    try {
      read_all(directory / "x", flipped);
    } catch (const Error&) {
      ++refused;
    }
  }
  CHECK(refused > 500);
}

TEST_CASE("a header length beyond the file is an Error", "[formats][safetensors]") {
  const TemporaryDirectory directory;
  const std::string path = directory / "x";
  const std::size_t changed = GENERATE(0, 1, 7);  // lengths a little and a lot too large
  std::string bytes = safetensors_bytes(kHeader, "");
  ++bytes[changed];
  CHECK_THAT(error_message([&] { read_all(path, bytes); }),
             Catch::StartsWith(path + ": expected a safetensors header within the file's"));
  CHECK(error_message([&] { read_all(path, ""); }) ==
        path + ": expected a safetensors file, got 0 bytes");
}

TEST_CASE("a wrong header entry is an Error that names tensor and place",
          "[formats][safetensors]") {
  CHECK(header_error(R"("a": 1)") == "a: expected an object, got 1");
  CHECK(header_error(R"("a": {"shape": [2], "data_offsets": [0, 8]})") ==
        "a.dtype: expected a string, but the key is missing");
  for (const std::string float8 : {"F8_E4M3", "F8_E5M2", "F8_E8M0"}) {
    CHECK(header_error("\"a\": {\"dtype\": \"" + float8 +
                       "\", \"shape\": [8], \"data_offsets\": [0, 8]}") ==
          "a.dtype: " + float8 + " is not supported");
  }
  CHECK(header_error(R"("a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]})") ==
        "a.shape[0]: expected a non-negative integer, got -2");
  CHECK(header_error(R"("a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]})") ==
        "a: shape [3] of F32 does not take the 8 bytes it has");
  CHECK(header_error(R"("a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 7]})") ==
        "a: shape [1] of F32 does not take the 7 bytes it has");
  CHECK(
      header_error(
          R"("a": {"dtype": "F32", "shape": [4611686018427387904, 4], "data_offsets": [0, 8]})") ==
      "a: shape [4611686018427387904, 4] of F32 does not take the 8 bytes it has");
  CHECK(
      header_error(
          R"("a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 9223372036854775807]})") ==
      "a.data_offsets: expected [begin, end] within 8 bytes of data, got [0, 9223372036854775807]");
  CHECK(header_error(R"("a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]})") ==
        "a.data_offsets: expected [begin, end] within 8 bytes of data, got [8, 0]");
  CHECK(header_error(R"("a": {"dtype": "U8", "shape": [8], "data_offsets": [0]})") ==
        "a.data_offsets: expected [begin, end] within 8 bytes of data, got [0]");
  CHECK(
      header_error(
          R"("a": {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]}, "__metadata__": {"k": 1})") ==
      "__metadata__.k: expected a string, got 1");
  CHECK(header_error(R"("a": {}, "a": {})") == "key a is given twice");
}

TEST_CASE("overlapping tensors, and bytes that belong to none, are Errors",
          "[formats][safetensors]") {
  const auto u8 = [](const std::string& name, int begin, int end) {
    return "\"" + name + "\": {\"dtype\": \"U8\", \"shape\": [" + std::to_string(end - begin) +
           "], \"data_offsets\": [" + std::to_string(begin) + ", " + std::to_string(end) + "]}";
  };
  CHECK(header_error(u8("a", 0, 5) + "," + u8("b", 4, 8)) ==
        "b: its data overlaps another tensor's");
  CHECK(header_error(u8("a", 0, 8) + "," + u8("b", 0, 8)) ==
        "b: its data overlaps another tensor's");
  CHECK(header_error(u8("a", 0, 3) + "," + u8("b", 4, 8)) == "b: its data follows a gap");
  CHECK(header_error(u8("a", 0, 7)) == "expected 7 bytes of data, got 8");
  CHECK(header_error("") == "expected 0 bytes of data, got 8");
}

TEST_CASE("a header is no JSON if safetensors reads none", "[formats][safetensors]") {
  const TemporaryDirectory directory;
  const auto error = [&](const std::string& header) {
    return error_message([&] { read_all(directory / "x", safetensors_bytes(header, "12345678")); });
  };
  const std::string object = R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}})";
  CHECK_NOTHROW(read_all(directory / "x", safetensors_bytes(object + "  ", "12345678")));
  CHECK_THAT(error(object + std::string("\0", 1)), Catch::Contains("a NUL byte"));
  CHECK_THAT(error(object + std::string("\0 {}", 4)), Catch::Contains("a NUL byte"));
  CHECK_THAT(error("\uFEFF" + object), Catch::Contains("byte order mark"));
}

TEST_CASE("sizes and offsets of a header may not be -0", "[formats][safetensors]") {
  CHECK(header_error(R"("a": {"dtype": "F32", "shape": [2], "data_offsets": [-0, 8]})") ==
        "a.data_offsets: expected non-negative integers, got -0");
  CHECK(header_error(R"("a": {"dtype": "F32", "shape": [-0, 2], "data_offsets": [0, 0]})") ==
        "a.shape: expected non-negative integers, got -0");
}
