#include "data/media/read_image.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/target.h"

using namespace dualpath;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::judge(data, size, [](std::string_view content) {
    const fuzz::MemoryFile file(content);
    const data::Image image = data::read_image(file.path());
    fuzz::touch(std::as_bytes(std::span(image.rgb)));
  });
}
