#include "data/media/read_audio.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/target.h"

using namespace dualpath;

/// libsndfile 1.2 forgets to free libvorbis's memory of a damaged header.
extern "C" const char* __lsan_default_suppressions() { return "leak:libvorbis.so"; }
extern "C" const char* __lsan_default_options() { return "print_suppressions=0"; }

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::judge(data, size, [](std::string_view content) {
    const fuzz::MemoryFile file(content);
    const std::vector<float> samples = data::read_audio(file.path());
    fuzz::touch(std::as_bytes(std::span(samples)));
  });
}
