#include "data/tokenizer.h"

#include <array>

#include "tests/fuzz/target.h"

using namespace dualpath;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::judge(data, size, [](std::string_view content) {
    const data::Tokenizer tokenizer({std::string(content), ""}, "fuzz");
    tokenizer.decode(tokenizer.encode("Two words, 12 \xff\xe2\x82\xac <|im_end|>\n\n  don't"));
    tokenizer.decode(std::array{-1, 0, 1, 1'000'000'000});
  });
}
