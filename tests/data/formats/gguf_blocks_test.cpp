// Values against the `gguf` package: tests/reference/gguf_blocks.py makes file and values.
#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

#include "data/formats/gguf.h"
#include "data/formats/safetensors.h"

using namespace dualpath::data;

namespace {

const std::filesystem::path kReference = "build/reference/gguf_blocks";

}  // namespace

TEST_CASE("every type of block has, bit for bit, the values that the gguf package reads",
          "[formats][gguf]") {
  const char* file = GENERATE("version_2.gguf", "version_3.gguf");
  const GgufReader reader(kReference / file);
  const SafetensorsReader expected(kReference / "values.safetensors");
  REQUIRE(expected.names().size() == 13);
  CHECK(reader.names() == expected.names());
  for (const std::string& name : expected.names()) {
    INFO(file << " " << name);
    const GgufTensor& tensor = reader.tensor(name);
    CHECK(ggml_type_name(static_cast<std::uint32_t>(tensor.type)) == name);
    const TensorView& wanted = expected.tensor(name);
    REQUIRE(tensor.numel == wanted.numel());
    std::vector<float> values(static_cast<std::size_t>(tensor.numel));
    dequantize(tensor.type, tensor.bytes, values);
    CHECK(std::memcmp(values.data(), wanted.bytes.data(), wanted.bytes.size()) == 0);
  }
}
