#include "data/formats/gguf.h"

#include <catch2/catch.hpp>

#include "data/base/error.h"
#include "tests/data/formats/gguf_bytes.h"
#include "tests/support/error_message.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::data;
using namespace dualpath::data::testing;
using namespace dualpath::testing;

namespace {

enum Kind : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64
};
enum Type : std::uint32_t { kTypeF32 = 0, kTypeQ8 = 8, kTypeIQ4XS = 23 };

/// Two tensors, "b" [2, 3] and "a" [32] in one Q8_0 block, and one key of each kind.
std::string small_file() {
  const std::string pairs =
      pair("u8", kU8, raw<std::uint8_t>(200)) + pair("i8", kI8, raw<std::int8_t>(-5)) +
      pair("u16", kU16, raw<std::uint16_t>(60000)) + pair("i16", kI16, raw<std::int16_t>(-300)) +
      pair("u32", kU32, raw<std::uint32_t>(30)) + pair("i32", kI32, raw<std::int32_t>(-7)) +
      pair("f32", kF32, raw(0.5f)) + pair("bool", kBool, raw<std::uint8_t>(1)) +
      pair("text", kString, text("llama")) + pair("u64", kU64, raw<std::uint64_t>(1)) +
      pair("i64", kI64, raw<std::int64_t>(-1)) + pair("f64", kF64, raw(0.1)) +
      pair("words", kArray, array(kString, 2, text("a") + text("bc"))) +
      pair("nested", kArray,
           array(kArray, 1, array(kI32, 2, raw<std::int32_t>(1) + raw<std::int32_t>(2))));
  const std::string tensors = tensor("b", {3, 2}, kTypeF32, 64) + tensor("a", {32}, kTypeQ8, 0);
  std::string data(64 + 24, '\0');
  data[0] = 7;
  data[64] = 9;
  return padded(header(2, 14) + pairs + tensors) + data;
}

void write_and_read(const std::filesystem::path& path, const std::string& bytes) {
  write_plain(path, bytes);
  const GgufReader reader(path);
  unsigned sum = 0;
  for (const std::string& name : reader.names()) {
    for (const std::byte byte : reader.tensor(name).bytes) sum += static_cast<unsigned>(byte);
  }
  for (const auto& [key, value] : reader.metadata())
    sum += static_cast<unsigned>(describe(value).size());
  REQUIRE(sum < 1'000'000);
}

/// The error of opening a file of these bytes, less its path and the byte it stopped at.
std::string open_error(const std::string& bytes) {
  const TemporaryDirectory directory;
  const std::string path = directory / "x";
  const std::string message = error_message([&] { write_and_read(path, bytes); });
  REQUIRE_THAT(message, Catch::StartsWith(path + ": "));
  const std::string rest = message.substr(path.size() + 2);
  return rest.starts_with("byte ") ? rest.substr(rest.find(": ") + 2) : rest;
}

/// … of a file with these tensors and 96 bytes of data.
std::string tensor_error(std::uint64_t count, const std::string& tensors) {
  return open_error(padded(header(count, 0) + tensors) + std::string(96, '\0'));
}

}  // namespace

TEST_CASE("GgufReader hands out metadata of every kind", "[formats][gguf]") {
  const TemporaryDirectory directory;
  write_plain(directory / "x", small_file());
  const GgufReader reader(directory / "x");
  CHECK(reader.require<std::uint8_t>("u8") == 200);
  CHECK(reader.require<int>("i8") == -5);
  CHECK(reader.require<std::int64_t>("u16") == 60000);
  CHECK(reader.require<std::int16_t>("i16") == -300);
  CHECK(reader.require<std::uint64_t>("u32") == 30);
  CHECK(reader.require<std::int32_t>("i32") == -7);
  CHECK(reader.require<float>("f32") == 0.5f);
  CHECK(reader.require<bool>("bool"));
  CHECK(reader.require<std::string>("text") == "llama");
  CHECK(reader.require<std::uint8_t>("u64") == 1);
  CHECK(reader.require<double>("i64") == -1.0);
  CHECK(reader.require<double>("f64") == 0.1);
  CHECK(reader.require<std::vector<std::string_view>>("words") ==
        std::vector<std::string_view>{"a", "bc"});
  CHECK(reader.require<std::vector<std::vector<int>>>("nested") ==
        std::vector<std::vector<int>>{{1, 2}});
  CHECK(reader.get_or<int>("u32", 4) == 30);
  CHECK(reader.get_or<int>("missing", 4) == 4);
  CHECK(reader.metadata().size() == 14);
}

TEST_CASE("a metadata value of another kind or range is an Error with file and key",
          "[formats][gguf]") {
  const TemporaryDirectory directory;
  const std::string path = directory / "x";
  write_plain(path, small_file());
  const GgufReader reader(path);
  CHECK(error_message([&] { reader.require<std::uint32_t>("llama.block_count"); }) ==
        path + ": llama.block_count: expected a uint32, but the key is missing");
  CHECK(error_message([&] { reader.require<std::uint32_t>("text"); }) ==
        path + ": text: expected a uint32, got \"llama\"");
  CHECK(error_message([&] { reader.require<std::int8_t>("u8"); }) ==
        path + ": u8: expected an int8, got 200");
  CHECK(error_message([&] { reader.require<std::uint64_t>("i64"); }) ==
        path + ": i64: expected a uint64, got -1");
  CHECK(error_message([&] { reader.require<int>("bool"); }) ==
        path + ": bool: expected an int32, got true");
  CHECK(error_message([&] { reader.require<int>("f32"); }) ==
        path + ": f32: expected an int32, got 0.5");
  CHECK(error_message([&] { reader.require<std::string>("words"); }) ==
        path + ": words: expected a string, got an array of 2");
  CHECK(error_message([&] { reader.require<std::vector<float>>("words"); }) ==
        path + ": words: expected an array, each a number, got an array of 2");
  CHECK(error_message([&] { reader.get_or<bool>("u8", true); }) ==
        path + ": u8: expected a bool, got 200");
}

TEST_CASE("GgufReader hands out tensors with row-major shapes", "[formats][gguf]") {
  const TemporaryDirectory directory;
  write_plain(directory / "x", small_file());
  const GgufReader reader(directory / "x");
  CHECK(reader.names() == std::vector<std::string>{"a", "b"});
  CHECK(reader.tensor("a").type == GgmlType::kQ8_0);
  CHECK(reader.tensor("a").bytes.size() == 34);
  CHECK(reader.tensor("a").bytes[0] == std::byte{7});
  CHECK(reader.tensor("b").shape == std::vector<std::int64_t>{2, 3});
  CHECK(reader.tensor("b").numel == 6);
  CHECK(reader.tensor("b").bytes[0] == std::byte{9});
  CHECK_FALSE(reader.contains_tensor("c"));
  CHECK_THAT(error_message([&] { reader.tensor("c"); }), Catch::EndsWith("x: has no tensor c"));
}

TEST_CASE("a GGUF file cut anywhere is an Error", "[formats][gguf]") {
  const TemporaryDirectory directory;
  const std::string whole = small_file();
  REQUIRE_NOTHROW(write_and_read(directory / "x", whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    INFO("cut to " << size);
    REQUIRE_THROWS_AS(write_and_read(directory / "x", whole.substr(0, size)), Error);
  }
}

TEST_CASE("a GGUF file with any bit flipped is read or refused, and never crashes",
          "[formats][gguf]") {
  const TemporaryDirectory directory;
  const std::string whole = small_file();
  int refused = 0;
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    try {
      write_and_read(directory / "x", flipped);
    } catch (const Error&) {
      ++refused;
    }
  }
  CHECK(refused > 1000);
}

TEST_CASE("what is no GGUF of version 2 or 3 is refused", "[formats][gguf]") {
  CHECK(open_error("") == "magic: does not fit into the file");
  CHECK(open_error("PK\3\4 something else") == "magic: this is no GGUF file");
  CHECK(open_error(header(0, 0, 1)) == "version: expected 2 or 3, little-endian, got 1");
  CHECK(open_error(header(0, 0, 0x03000000)) ==
        "version: expected 2 or 3, little-endian, got 50331648");
  const TemporaryDirectory directory;
  CHECK_NOTHROW(write_and_read(directory / "x", header(0, 0, 2)));
}

TEST_CASE("absurd counts and lengths are refused before any memory is asked for",
          "[formats][gguf]") {
  constexpr std::uint64_t kHuge = 0xffff'ffff'ffff'fff0;
  CHECK(open_error(header(kHuge, 0)) == "number of tensors: does not fit into the file");
  CHECK(open_error(header(0, kHuge)) == "number of metadata pairs: does not fit into the file");
  CHECK(open_error(header(0, 1) + raw(kHuge) + std::string(20, 'x')) ==
        "metadata key: does not fit into the file");
  CHECK(open_error(header(0, 1) + pair("k", kString, raw(kHuge))) ==
        "k: does not fit into the file");
  CHECK(open_error(header(0, 1) + pair("k", kArray, array(kU64, kHuge / 8, "12345678"))) ==
        "k: does not fit into the file");
  CHECK(open_error(header(0, 1) + pair("k", kArray, array(99, 1, "12345678"))) ==
        "k: expected a kind of value from 0 to 12, got 99");
  CHECK(open_error(header(0, 1) + pair("k", 13, "12345678")) ==
        "k: expected a kind of value from 0 to 12, got 13");
}

TEST_CASE("arrays that would take many times their file in memory are refused", "[formats][gguf]") {
  static_assert(sizeof(GgufValue) == 32);
  const std::string refused =
      ": expected arrays of at most 268435456 bytes in memory, all together";
  const std::string many((1 << 23) + 1, '\0');
  CHECK(open_error(header(0, 1) + pair("k", kArray, array(kU8, many.size(), many))) ==
        "k" + refused);
  const std::string third((1 << 23) / 3 + 1, '\0');  // each alone would do
  std::string bytes = header(0, 3);
  for (const char* key : {"a", "b", "c"})
    bytes += pair(key, kArray, array(kU8, third.size(), third));
  CHECK(open_error(bytes) == "c" + refused);
}

TEST_CASE("more entries than any model has are refused", "[formats][gguf]") {
  constexpr std::size_t kMany = (1 << 20) + 1;
  const std::string room(kMany * 24, '\0');
  CHECK(open_error(header(kMany, 0) + room) ==
        "number of tensors: expected at most 1048576, got 1048577");
  CHECK(open_error(header(0, kMany) + room) ==
        "number of metadata pairs: expected at most 1048576, got 1048577");
}

TEST_CASE("arrays nested without end are refused", "[formats][gguf]") {
  std::string nested = array(kU8, 0, "");
  for (int i = 0; i < 10'000; ++i) nested.insert(0, array(kArray, 1, ""));
  CHECK(open_error(header(0, 1) + pair("k", kArray, nested)) == "k: arrays are nested too deep");
}

TEST_CASE("keys and tensors given twice are refused, and odd names are shown escaped",
          "[formats][gguf]") {
  CHECK(open_error(header(0, 2) + pair("k\n", kU8, "x") + pair("k\n", kU8, "x")) ==
        "k\\n: is given twice");
  CHECK(tensor_error(2, tensor("a", {8}, kTypeF32, 0) + tensor("a", {8}, kTypeF32, 32)) ==
        "a: is given twice");
}

TEST_CASE("a tensor that cannot be is refused by name", "[formats][gguf]") {
  CHECK(tensor_error(1, tensor("a", {256}, kTypeIQ4XS, 0)) == "a: IQ4_XS is not supported");
  CHECK(tensor_error(1, tensor("a", {256}, 77, 0)) == "a: type 77 is not supported");
  CHECK(tensor_error(1, tensor("a", {1, 1, 1, 1, 1}, kTypeF32, 0)) ==
        "a: expected at most 4 dimensions, got 5");
  CHECK(tensor_error(1, tensor("a", {33}, kTypeQ8, 0)) == "a: [33] is no shape for Q8_0");
  CHECK(tensor_error(1, tensor("a", {16, 2}, kTypeQ8, 0)) == "a: [2, 16] is no shape for Q8_0");
  CHECK(tensor_error(1, tensor("a", {std::uint64_t{1} << 62, 4}, kTypeF32, 0)) ==
        "a: [4, 4611686018427387904] is no shape for F32");
  CHECK(tensor_error(1, tensor("a", {std::uint64_t{1} << 63}, kTypeF32, 0)) ==
        "a: [-9223372036854775808] is no shape for F32");
  CHECK(tensor_error(1, tensor("a", {std::uint64_t{1} << 60}, kTypeF32, 0)) ==
        "a: its data does not lie within the file");
  CHECK(tensor_error(1, tensor("a", {25}, kTypeF32, 0)) ==
        "a: its data does not lie within the file");
  CHECK(tensor_error(1, tensor("a", {8}, kTypeF32, 128)) ==
        "a: its data does not lie within the file");
  CHECK(tensor_error(1, tensor("a", {8}, kTypeF32, 0xffff'ffff'ffff'ffe0)) ==
        "a: its data does not lie within the file");
  CHECK(tensor_error(1, tensor("a", {8}, kTypeF32, 4)) ==
        "a: expected its offset 4 to be a multiple of 32");
  CHECK(tensor_error(2, tensor("a", {9}, kTypeF32, 0) + tensor("b", {8}, kTypeF32, 32)) ==
        "b: its data overlaps another tensor's");
}

TEST_CASE("general.alignment is obeyed, and refused unless a power of two", "[formats][gguf]") {
  const auto aligned_to = [](std::uint32_t alignment) {
    return header(1, 1) + pair("general.alignment", kU32, raw(alignment)) +
           tensor("a", {1}, kTypeF32, 8);
  };
  const TemporaryDirectory directory;
  write_plain(directory / "x", padded(aligned_to(8), 8) + "01234567\1\2\3\4");
  CHECK(GgufReader(directory / "x").tensor("a").bytes[0] == std::byte{1});
  CHECK(open_error(aligned_to(0)) == "general.alignment: expected a power of two, got 0");
  CHECK(open_error(aligned_to(24)) == "general.alignment: expected a power of two, got 24");
}
