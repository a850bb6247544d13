#include "data/tokenizer/tokenizer_files.h"

#include "data/base/error.h"
#include "data/files/file.h"
#include "data/formats/json.h"

namespace dualpath::data {
namespace {

namespace fs = std::filesystem;

// The largest we know, of a quarter of a million tokens with merges, has 33 MB.
constexpr std::uint64_t kMaxTokenizerBytes = 256 << 20;

std::string read_if_there(const fs::path& file) {
  if (!fs::exists(file)) return "";
  std::string text = read_file(file, kMaxJsonBytes);
  if (text.empty()) throw Error("{}: expected a JSON object, got an empty file", file.string());
  return text;
}

std::string model_type_in(const fs::path& directory) {
  const fs::path config = directory / "config.json";
  return fs::exists(config) ? JsonObject::read(config).string_or("model_type", "") : "";
}

}  // namespace

TokenizerFiles read_tokenizer_files(const fs::path& directory) {
  return {.tokenizer_json = read_file(directory / "tokenizer.json", kMaxTokenizerBytes),
          .tokenizer_config_json = read_if_there(directory / "tokenizer_config.json"),
          .special_tokens_map_json = read_if_there(directory / "special_tokens_map.json"),
          .added_tokens_json = read_if_there(directory / "added_tokens.json"),
          .model_type = model_type_in(directory)};
}

}  // namespace dualpath::data
