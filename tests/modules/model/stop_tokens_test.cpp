#include "modules/model/stop_tokens.h"

#include "tests/support/catch.h"
#include "tests/support/model.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::modules;
using namespace dualpath::testing;
namespace fs = std::filesystem;

namespace {

using Tokens = std::set<std::int64_t>;

/// Stop tokens of a small model whose two files name these ends; the tokenizer's is 0.
Tokens ends(const nlohmann::json& config, const nlohmann::json& generation) {
  Model model = tiny_llama("tied");
  model.config_json["eos_token_id"] = config;
  model.generation_config["eos_token_id"] = generation;
  return stop_tokens(model);
}

}  // namespace

TEST_CASE("a text ends with any of the tokens that tokenizer and both files name",
          "[modules][stop_tokens]") {
  CHECK(ends(7, {9, 7, 11}) == Tokens{0, 7, 9, 11});
  CHECK(ends({5, 6}, nullptr) == Tokens{0, 5, 6});
  CHECK(ends(nullptr, 3) == Tokens{0, 3});
}

TEST_CASE("an end that is no token's id is an error naming the file", "[modules][stop_tokens]") {
  CHECK_THROWS_WITH(
      ends(7, "</s>"),
      Catch::EndsWith("tied: generation_config.json: eos_token_id: expected a token's "
                      "id or a list of them, got string"));
  CHECK_THROWS_WITH(ends({1, {2}}, nullptr), Catch::Contains("tied: config.json: eos_token_id"));
}

TEST_CASE("generation_config.json is read where it is there", "[modules][stop_tokens]") {
  const TemporaryDirectory copy;
  const fs::path model = copy / "model";
  fs::copy(kReference / "tiny_llama/tied", model);
  fs::remove(model / "generation_config.json");
  CHECK(stop_tokens(open_model(model)) == Tokens{0});
  write_plain(model / "generation_config.json", R"({"eos_token_id": [0, 42]})");
  CHECK(stop_tokens(open_model(model)) == Tokens{0, 42});
}

TEST_CASE("SmolLM2's GGUF file knows one end", "[modules][stop_tokens][smollm2]") {
  const Model model = open_model(kSmolLM2);
  CHECK(stop_tokens(model) == Tokens{2});
  CHECK_FALSE(model.made_files.contains("generation_config.json"));
}
