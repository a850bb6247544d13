#include "data/tokenizer/gguf_tokenizer.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "data/files/atomic_file.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using dualpath::testing::TemporaryDirectory;
using namespace dualpath::data;

namespace {

using nlohmann::json;

template <class T>
std::string bytes_of(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

std::string gguf_string(const std::string& text) {
  return bytes_of<std::uint64_t>(text.size()) + text;
}

/// type and value, of the kinds that a tokenizer's metadata has.
std::string gguf_value(const json& value) {
  const auto type = [](std::uint32_t number) { return bytes_of(number); };
  if (value.is_string()) return type(8) + gguf_string(value);
  if (value.is_boolean()) return type(7) + bytes_of<std::uint8_t>(value.get<bool>());
  if (value.is_number()) return type(5) + bytes_of<std::int32_t>(value);
  std::string elements, element_type = type(8);
  for (const json& element : value) {
    const std::string typed = gguf_value(element);
    element_type = typed.substr(0, 4);
    elements += typed.substr(4);
  }
  return type(9) + element_type + bytes_of<std::uint64_t>(value.size()) + elements;
}

/// A GGUF file of metadata alone.
std::string gguf(const json& metadata) {
  std::string file = "GGUF" + bytes_of<std::uint32_t>(3) + bytes_of<std::uint64_t>(0) +
                     bytes_of<std::uint64_t>(metadata.size());
  for (const auto& [key, value] : metadata.items()) file += gguf_string(key) + gguf_value(value);
  return file;
}

json metadata() {
  return {{"tokenizer.ggml.model", "gpt2"},
          {"tokenizer.ggml.pre", "smollm"},
          {"tokenizer.ggml.tokens", {"<end>", "a", "1", "Ġ", "Ġa", "<user>"}},
          {"tokenizer.ggml.token_type", {3, 1, 1, 1, 1, 4}},
          {"tokenizer.ggml.merges", {"Ġ a"}},
          {"tokenizer.ggml.eos_token_id", 0},
          {"tokenizer.ggml.padding_token_id", 0},
          {"tokenizer.chat_template", "{{ messages }}"}};
}

struct GgufFile {
  explicit GgufFile(const json& patch) {
    json patched = metadata();
    patched.merge_patch(patch);
    write_file(path, gguf(patched));
  }
  TemporaryDirectory directory;
  std::filesystem::path path = directory.path() / "model.gguf";
};

Tokenizer patched_tokenizer(const json& patch = json::object()) {
  return Tokenizer::from_gguf(GgufReader(GgufFile(patch).path));
}

using Ids = std::vector<std::int32_t>;

}  // namespace

TEST_CASE("a GGUF file's metadata is a tokenizer", "[data][gguf_tokenizer]") {
  const Tokenizer t = patched_tokenizer();
  CHECK(t.encode(" a 1<end><user>a") == Ids{4, 3, 2, 0, 5, 1});
  CHECK(t.special_tokens().eos == 0);
  CHECK(t.special_tokens().pad == 0);
  CHECK(t.special_tokens().bos == std::nullopt);
}

TEST_CASE("the files made from a GGUF file say what transformers needs", "[data][gguf_tokenizer]") {
  const TokenizerFiles files = patched_tokenizer().files();
  CHECK(json::parse(files.tokenizer_config_json) ==
        json{{"tokenizer_class", "PreTrainedTokenizerFast"},
             {"clean_up_tokenization_spaces", false},
             {"eos_token", "<end>"},
             {"pad_token", "<end>"},
             {"chat_template", "{{ messages }}"}});
  const json description = json::parse(files.tokenizer_json);
  CHECK(description["added_tokens"][0]["special"] == true);
  CHECK(description["added_tokens"][1]["special"] == false);
  CHECK(description["post_processor"] == nullptr);
  CHECK(Tokenizer(files, "again").encode(" a 1<end>") == Ids{4, 3, 2, 0});
}

TEST_CASE("pre-tokenizers go by their llama.cpp names", "[data][gguf_tokenizer]") {
  const auto pre_tokenizer = [](const std::string& name) {
    const Tokenizer t = patched_tokenizer({{"tokenizer.ggml.pre", name}});
    return json::parse(t.files().tokenizer_json)["pre_tokenizer"];
  };
  CHECK(pre_tokenizer("smollm")["pretokenizers"][0]["type"] == "Digits");
  CHECK(pre_tokenizer("gpt-2")["use_regex"] == true);
  CHECK(pre_tokenizer("default") == pre_tokenizer("gpt-2"));
  CHECK(pre_tokenizer("llama-bpe")["pretokenizers"][1]["use_regex"] == false);
}

TEST_CASE("a first token that the model wants is put into the file for transformers",
          "[data][gguf_tokenizer]") {
  const Tokenizer t = patched_tokenizer(
      {{"tokenizer.ggml.add_bos_token", true}, {"tokenizer.ggml.bos_token_id", 5}});
  const json processor = json::parse(t.files().tokenizer_json)["post_processor"];
  CHECK(processor["single"][0]["SpecialToken"]["id"] == "<user>");
  CHECK(processor["special_tokens"]["<user>"]["ids"] == json{5});
  CHECK(t.encode("a") == Ids{1});  // encode() adds nothing
}

TEST_CASE("a last token that the model wants stands behind a text", "[data][gguf_tokenizer]") {
  const json ends = {{"tokenizer.ggml.add_eos_token", true}};
  CHECK(patched_tokenizer(ends).encode_whole("a") == Ids{1, 0});
  json both = ends;
  both.update({{"tokenizer.ggml.add_bos_token", true}, {"tokenizer.ggml.bos_token_id", 5}});
  CHECK(patched_tokenizer(both).encode_whole("a") == Ids{5, 1, 0});
  CHECK(patched_tokenizer({{"tokenizer.ggml.add_bos_token", true}}).encode_whole("a") ==
        Ids{1});  // has none
}

TEST_CASE("a first token stands before a llama-bpe model's text unless the file says no",
          "[data][gguf_tokenizer]") {
  json llama = {{"tokenizer.ggml.pre", "llama-bpe"}};
  CHECK(patched_tokenizer(llama).encode_whole("a") == Ids{1});  // has none
  llama["tokenizer.ggml.bos_token_id"] = 5;
  CHECK(patched_tokenizer(llama).encode_whole("a") == Ids{5, 1});
  CHECK(patched_tokenizer(llama).encode("a") == Ids{1});
  llama["tokenizer.ggml.add_bos_token"] = false;
  CHECK(patched_tokenizer(llama).encode_whole("a") == Ids{1});
  CHECK(patched_tokenizer({{"tokenizer.ggml.bos_token_id", 5}}).encode_whole("a") ==
        Ids{1});  // smollm
}

TEST_CASE("a GGUF file's chat templates have names", "[data][gguf_tokenizer]") {
  const auto templates = [](json patch) {
    patch["tokenizer.chat_template.tool_use"] = "{{ tools }}";
    return json::parse(patched_tokenizer(patch).files().tokenizer_config_json)["chat_template"];
  };
  const json tool_use = {{"name", "tool_use"}, {"template", "{{ tools }}"}};
  const json by_default = {{"name", "default"}, {"template", "{{ messages }}"}};
  CHECK(templates(json::object()) == json{tool_use, by_default});
  CHECK(templates({{"tokenizer.chat_template", nullptr}}) == json::array({tool_use}));
}

TEST_CASE("keys without effect on byte-level BPE pass", "[data][gguf_tokenizer]") {
  const json idle = {{"tokenizer.ggml.add_space_prefix", true},
                     {"tokenizer.ggml.scores", {0, 0, 0, 0, 0, 0}},
                     {"tokenizer.ggml.eot_token_id", 5},
                     {"tokenizer.chat_templates", {"tool_use"}}};
  CHECK(patched_tokenizer(idle).encode(" a") == Ids{4});
}

TEST_CASE("metadata that we do not support or that is broken is named", "[data][gguf_tokenizer]") {
  const auto refused = [](const json& patch, const std::string& message) {
    INFO(patch.dump());
    CHECK_THROWS_WITH(patched_tokenizer(patch),
                      Catch::Contains("model.gguf") && Catch::Contains(message));
  };
  refused({{"tokenizer.ggml.model", "llama"}},
          "tokenizer.ggml.model: expected gpt2 (BPE over bytes), got 'llama'");
  refused({{"tokenizer.ggml.pre", "qwen2"}},
          "expected smollm, gpt-2, default or llama-bpe, got 'qwen2'");
  refused({{"tokenizer.ggml.pre", nullptr}}, "tokenizer.ggml.pre");
  refused({{"tokenizer.ggml.tokens", nullptr}}, "tokenizer.ggml.tokens");
  refused({{"tokenizer.ggml.normalizer.lowercase", true}},
          "tokenizer.ggml.normalizer.lowercase is not supported");
  refused({{"tokenizer.ggml.token_type", {3, 1, 1, 7, 1, 4}}},
          "token_type: expected 0 to 6, got 7");
  refused({{"tokenizer.ggml.token_type", {1}}}, "6 tokens but 1 token types");
  refused({{"tokenizer.ggml.eos_token_id", 6}}, "tokenizer.ggml.eos_token_id: 6 of 6 tokens");
  refused({{"tokenizer.ggml.tokens", {"<end>", "a", "a", "Ġ", "Ġa", "<user>"}}},
          "'a' stands there twice");
  refused({{"tokenizer.ggml.merges", {"a a"}}}, "merges: 'aa' is not in the vocabulary");
}
