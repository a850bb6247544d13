#include "data/formats/gguf.h"

#include <vector>

#include "data/tokenizer/tokenizer.h"
#include "modules/config/decoder_config.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/target.h"

using namespace dualpath;

namespace {

void decode(const data::GgufTensor& tensor) {
  std::vector<float> values(static_cast<std::size_t>(tensor.numel));
  data::dequantize(tensor.type, tensor.bytes, values);
}

}  // namespace

// Asks a file for all that a model needs: tensors, then the meaning of their shapes, then the
// tokenizer.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::judge(data, size, [](std::string_view content) {
    const fuzz::MemoryFile file(content);
    const data::GgufReader reader(file.path());
    for (const std::string& name : reader.names()) decode(reader.tensor(name));
    for (const auto& [key, value] : reader.metadata()) data::describe(value);
    if (reader.contains("tokenizer.ggml.tokens")) data::Tokenizer::from_gguf(reader);
    modules::DecoderConfig::from_gguf(reader);
  });
}
