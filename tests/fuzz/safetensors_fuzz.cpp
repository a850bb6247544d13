#include "data/formats/safetensors.h"

#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/target.h"

using namespace dualpath;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::judge(data, size, [](std::string_view content) {
    const fuzz::MemoryFile file(content);
    const data::SafetensorsReader reader(file.path());
    for (const std::string& name : reader.names()) fuzz::touch(reader.tensor(name).bytes);
  });
}
