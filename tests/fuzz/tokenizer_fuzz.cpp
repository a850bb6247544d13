#include "data/tokenizer/tokenizer.h"

#include <algorithm>
#include <array>

#include "tests/fuzz/target.h"

using namespace dualpath;

namespace {

/// The content before the next NUL byte, which no JSON has.
std::string next_file(std::string_view& content) {
  const std::size_t end = std::min(content.find('\0'), content.size());
  const std::string file(content.substr(0, end));
  content.remove_prefix(std::min(end + 1, content.size()));
  return file;
}

}  // namespace

/// content: tokenizer.json, tokenizer_config.json, special_tokens_map.json and added_tokens.json.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::judge(data, size, [](std::string_view content) {
    data::TokenizerFiles files;
    for (std::string* file : {&files.tokenizer_json, &files.tokenizer_config_json,
                              &files.special_tokens_map_json, &files.added_tokens_json})
      *file = next_file(content);
    const data::Tokenizer tokenizer(files, "fuzz");
    tokenizer.decode(tokenizer.encode("Two words, 12 \xff\xe2\x82\xac <|im_end|>\n\n  don't"));
    tokenizer.decode(std::array{-1, 0, 1, 1'000'000'000});
  });
}
