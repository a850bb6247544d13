#include "data/tokenizer/tokenizer_config.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "data/base/error.h"
#include "tests/support/error_message.h"

using namespace dualpath;
using namespace dualpath::data;
using dualpath::testing::error_message;

namespace {

using nlohmann::json;

const std::vector<std::pair<std::int32_t, AddedToken>> kListed{{0, {.content = "<end>"}}};

TokenizerConfig read(const std::string& config, const std::string& map = "",
                     const std::string& added = "", const std::string& model_type = "llama") {
  return read_tokenizer_config({.tokenizer_json = {},
                                .tokenizer_config_json = config,
                                .special_tokens_map_json = map,
                                .added_tokens_json = added,
                                .model_type = model_type},
                               kListed, "model");
}

/// The texts of the tokens behind those of tokenizer.json, in their order.
std::string added(const std::string& config, const std::string& map = "",
                  const std::string& added = "") {
  std::string texts;
  for (const AddedToken& token : read(config, map, added).added) texts += token.content;
  return texts;
}

std::optional<bool> prefix_space(const std::string& model_type, const json& config) {
  return read(config.dump(), "", "", model_type).add_prefix_space;
}

}  // namespace

// Expected orders are those of transformers 5.23.
TEST_CASE("added_tokens_decoder adds tokens in the order of its numbers, whatever the numbers",
          "[data][tokenizer_config]") {
  const std::string two = R"("1000": {"content": "<x>"}, "9": {"content": "<y>", "lstrip": true})";
  const TokenizerConfig config = read("{\"added_tokens_decoder\": {" + two + "}}");
  REQUIRE(config.added.size() == 2);
  CHECK(config.added[0].content == "<y>");
  CHECK(config.added[0].lstrip);
  CHECK(config.added[0].normalized);  // as tokens are that are not special and do not say
  CHECK(config.added[1].content == "<x>");
}

TEST_CASE("special tokens that are new are added: roles, a model's own names, then the others",
          "[data][tokenizer_config]") {
  CHECK(added(R"({"additional_special_tokens": ["<z>"], "pad_token": "<x>", "eos_token": "<end>",
                  "bos_token": {"__type": "AddedToken", "content": "<w>"}, "image_token": "<y>"})") ==
        "<end><w><x><y><z>");
  CHECK(added(R"({"z_token": "<x>", "a_token": "<y>"})") == "<end><x><y>");  // in the file's order
  CHECK(added(R"({"z_token": "<x>", "a_token": {"__type": "AddedToken", "content": "<y>"}})") ==
        "<end><y><x>");
  CHECK(added(R"({"extra_special_tokens": {"z_token": "<x>", "a_token": "<y>"}})") ==
        "<end><x><y>");
  CHECK(added(R"({"extra_special_tokens": ["<x>"], "additional_special_tokens": ["<y>"]})") ==
        "<end><x>");
  CHECK(added(R"({"extra_special_tokens": [], "additional_special_tokens": ["<y>", "<end>"]})") ==
        "<end><y>");
  CHECK(added(R"({"add_bos_token": true, "pad_token": null})") == "<end>");
}

TEST_CASE("a model's own tokens may stand together, as transformers 5 saves them",
          "[data][tokenizer_config]") {
  const std::string own = R"("model_specific_special_tokens": {"image_token": "<y>", "a": "<x>"})";
  CHECK(added("{" + own + "}") == "<end><y><x>");
  CHECK(read("{" + own + "}").special_tokens ==
        std::map<std::string, std::string>{{"image_token", "<y>"}, {"a", "<x>"}});
  CHECK(added("{" + own + R"(, "extra_special_tokens": ["<z>"]})") == "<end><y><x><z>");
  CHECK(added("{" + own + "}", R"({"b_token": "<w>", "extra_special_tokens": {"c": "<z>"}})") ==
        "<end><w><y><x><z>");
  // Other names in the file take their place.
  CHECK(added("{" + own + R"(, "extra_special_tokens": {"b": "<z>"}})") == "<end><z>");
  CHECK(added("{" + own + R"(, "additional_special_tokens": {"b": "<z>"}})") == "<end><z>");
  CHECK(added("{" + own + R"(, "b_token": "<z>"})") == "<end><z>");
  CHECK(error_message([] { read(R"({"model_specific_special_tokens": ["<x>"]})"); }) ==
        "model/tokenizer_config.json: model_specific_special_tokens: expected an object, got "
        "an array");
}

TEST_CASE("a token of added_tokens.json is special by a text or by special_tokens_map.json",
          "[data][tokenizer_config]") {
  const auto is_special = [](const std::string& config, const std::string& map = "") {
    return !read(config, map, R"({"<x>": 1})").added[1].normalized;
  };
  CHECK(is_special(R"({"eos_token": "<x>"})"));
  CHECK(is_special(R"({"additional_special_tokens": ["<x>"]})"));
  CHECK(is_special("", R"({"eos_token": {"content": "<x>"}})"));
  CHECK(is_special("", R"({"extra_special_tokens": [{"content": "<x>"}]})"));
  CHECK_FALSE(is_special(R"({"eos_token": {"__type": "AddedToken", "content": "<x>"}})"));
  CHECK_FALSE(is_special(R"({"extra_special_tokens": [{"content": "<x>"}]})"));
  CHECK_FALSE(is_special(R"({"extra_special_tokens": {"eos_token": "<x>"}})"));
  CHECK_FALSE(is_special("", R"({"additional_special_tokens": ["<x>"]})"));
}

TEST_CASE("special_tokens_map.json and added_tokens.json count without added_tokens_decoder",
          "[data][tokenizer_config]") {
  const std::string map = R"({"eos_token": {"content": "<x>", "rstrip": true}, "pad_token": null})";
  const std::string tokens = R"({"<y>": 300, "<x>": 299, "<gone>": 0})";
  const TokenizerConfig config = read(R"({"eos_token": "<end>", "pad_token": "<p>"})", map, tokens);
  REQUIRE(config.added.size() == 3);
  CHECK(config.added[0].content == "<end>");  // has the place of <gone> in tokenizer.json
  CHECK(config.added[1].content == "<x>");
  CHECK_FALSE(config.added[1].normalized);  // special
  CHECK(config.added[2].content == "<y>");
  CHECK(config.added[2].normalized);
  CHECK(config.special_tokens == std::map<std::string, std::string>{{"eos_token", "<x>"}});

  CHECK(added(R"({"added_tokens_decoder": {}})", map, tokens).empty());
  CHECK(added("", R"({"additional_special_tokens": ["<x>", {"content": "<y>"}]})") ==
        "<end><x><y>");
  CHECK(added(R"({"extra_special_tokens": ["<w>"]})",
              R"({"extra_special_tokens": {"a_token": "<x>"}})") == "<end><x>");
  CHECK(added(R"({"additional_special_tokens": ["<w>"]})",
              R"({"additional_special_tokens": ["<x>"], "extra_special_tokens": ["<y>"]})") ==
        "<end><w><y>");
}

TEST_CASE("add_prefix_space counts where transformers' class honours it",
          "[data][tokenizer_config]") {
  const json gpt2 = {{"tokenizer_class", "GPT2TokenizerFast"}, {"add_prefix_space", true}};
  CHECK(prefix_space("llama", gpt2) == true);
  CHECK(prefix_space("llama", {{"tokenizer_class", "GPT2Tokenizer"}}) == false);
  CHECK(prefix_space("glm4", gpt2) == std::nullopt);
  const json plain = {{"tokenizer_class", "PreTrainedTokenizerFast"}, {"add_prefix_space", true}};
  CHECK(prefix_space("llama", plain) == std::nullopt);
  CHECK(prefix_space("qwen3", plain) == std::nullopt);
  CHECK(prefix_space("qwen2", plain) == true);
  CHECK(prefix_space("qwen3", {{"add_prefix_space", true}}) == true);
}

TEST_CASE("what changes ids and is not supported is refused by name", "[data][tokenizer_config]") {
  const auto refused = [](const std::string& config) {
    return error_message([&] { read(config); });
  };
  const std::string file = "model/tokenizer_config.json: ";
  CHECK(refused(R"({"split_special_tokens": true})") ==
        file + "split_special_tokens: true is not supported");
  CHECK(refused(R"({"fast_tokenizer_files": ["tokenizer.json", "tokenizer.4.0.json"]})") ==
        file + "fast_tokenizer_files: expected tokenizer.json alone, got tokenizer.4.0.json");
  CHECK(refused(R"({"image_token": {"content": "<x>"}})") ==
        file + "image_token: expected a text, got an object");
  CHECK(refused(R"({"eos_token": 5})") == file + "eos_token: expected a text or an object, got 5");
  CHECK(refused(R"({"added_tokens_decoder": {"x": {"content": "<x>"}}})") ==
        file + "added_tokens_decoder: expected an id, got x");
  CHECK(refused(R"({"added_tokens_decoder": {"5": {"content": "<x>", "single_word": true}}})") ==
        file + "added_tokens_decoder.5: single_word is not supported (token '<x>')");
  CHECK(refused(R"({"added_tokens_decoder": {"5": {"content": "<x>", "strip": true}}})") ==
        file +
            "added_tokens_decoder.5: strip is not supported; expected no keys but id, content, "
            "single_word, lstrip, rstrip, normalized, special, __type");
}
