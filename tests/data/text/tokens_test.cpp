// Ids against Hugging Face's `tokenizers` and transformers: tests/reference/tokens.py and
// tokenizer_directories.py make the expected ones.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "data/base/utf8.h"
#include "data/files/atomic_file.h"
#include "data/files/file.h"
#include "data/tokenizer/tokenizer.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::data;
using namespace dualpath::testing;

namespace {

using nlohmann::json;
using Ids = std::vector<std::int32_t>;

const std::filesystem::path kReference = "build/reference/tokens";

const json& expected() {
  static const json expected = json::parse(read_file(kReference / "tokens.json"));
  return expected;
}

const Tokenizer& from_gguf() {
  static const Tokenizer tokenizer =
      Tokenizer::from_gguf(GgufReader("build/assets/smollm2-135m-instruct.gguf"));
  return tokenizer;
}

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

/// Comparing is quick, and printing both lists would help nobody.
void check_equal(const Ids& ids, const Ids& wanted) {
  const auto [ours, theirs] = std::mismatch(ids.begin(), ids.end(), wanted.begin(), wanted.end());
  INFO("first difference at token " << ours - ids.begin() << " of " << wanted.size());
  CHECK((ours == ids.end() && theirs == wanted.end()));
}

void check_texts(const Tokenizer& tokenizer) {
  for (const json& text : expected()["texts"]) {
    INFO(text["name"]);
    check_equal(tokenizer.encode(text["text"].get<std::string>()), text["ids"]);
  }
}

}  // namespace

TEST_CASE("ids from the GGUF file's tokenizer are those of tokenizers", "[data][tokens]") {
  std::size_t bytes = 0;
  for (const json& text : expected()["texts"])
    bytes += text["text"].get_ref<const std::string&>().size();
  CHECK(bytes >= 1'000'000);
  check_texts(from_gguf());
}

TEST_CASE("ids from the tokenizer.json that tokenizers wrote are the same", "[data][tokens]") {
  check_texts(Tokenizer::from_directory(kReference / "tokenizer"));
}

TEST_CASE("ids from the tokenizer.json that we made are the same", "[data][tokens]") {
  // check_tokenizer.py gives this directory to tokenizers and transformers.
  const std::filesystem::path made = kReference / "made_tokenizer";
  std::filesystem::create_directories(made);
  write_file(made / "tokenizer.json", from_gguf().files().tokenizer_json);
  write_file(made / "tokenizer_config.json", from_gguf().files().tokenizer_config_json);
  check_texts(Tokenizer::from_directory(made));
}

TEST_CASE("decoding gives what tokenizers gives, the text where no byte lacks a token",
          "[data][tokens]") {
  for (const json& text : expected()["texts"]) {
    INFO(text["name"]);
    const bool whole =
        from_gguf().decode(text["ids"].get<Ids>()) == text.value("decoded", text["text"]);
    CHECK(whole);
  }
  for (const json& fragment : expected()["fragments"]) {
    CHECK(from_gguf().decode(fragment["ids"].get<Ids>()) == fragment["text"]);
  }
}

TEST_CASE("bytes that are no UTF-8 count as what Python makes of them", "[data][tokens]") {
  int broken = 0;
  for (const json& text : expected()["texts"]) {
    if (!text.contains("hex")) continue;
    ++broken;
    const std::string bytes = from_hex(text["hex"]);
    CHECK(replace_invalid_utf8(bytes) == text["text"]);
    check_equal(from_gguf().encode(bytes), text["ids"]);
  }
  CHECK(broken == 1);
}

TEST_CASE("every supported option of a tokenizer.json gives the ids of tokenizers",
          "[data][tokens]") {
  const json description = json::parse(from_gguf().files().tokenizer_json);
  CHECK(expected()["variants"].size() == 8);
  for (const json& variant : expected()["variants"]) {
    INFO(variant["name"]);
    json patched = description;
    if (variant["patch"].contains("pre_tokenizer")) patched.erase("pre_tokenizer");  // another one
    patched.merge_patch(variant["patch"]);
    const Tokenizer tokenizer({patched.dump(), ""}, "variant");
    for (std::size_t i = 0; i < expected()["short_texts"].size(); ++i) {
      check_equal(tokenizer.encode(expected()["short_texts"][i].get<std::string>()),
                  variant["ids"][i]);
    }
  }
}

TEST_CASE("ids of GLM-4's, Qwen2's and Llama 3's kinds are those of tokenizers", "[data][tokens]") {
  CHECK(expected()["families"].size() == 3);
  for (const json& family : expected()["families"]) {
    const Tokenizer tokenizer({family["tokenizer"].dump(), ""}, "family");
    for (const json& text : family["texts"]) {
      INFO(family["name"] << ": " << text["name"]);
      check_equal(tokenizer.encode(text["text"].get<std::string>()), text["ids"]);
      const bool whole =
          tokenizer.decode(text["ids"].get<Ids>()) == text.value("decoded", text["text"]);
      CHECK(whole);
    }
  }
}

TEST_CASE("ids from a directory are AutoTokenizer's, whichever of its files says what",
          "[data][tokens]") {
  const json directories = json::parse(read_file("build/reference/tokenizer_directories.json"));
  CHECK(directories.size() > 100);
  const TemporaryDirectory scratch;
  for (const json& directory : directories) {
    INFO(directory["name"].get<std::string>());
    const std::filesystem::path path = scratch / directory["name"].get<std::string>();
    std::filesystem::create_directory(path);
    for (const auto& [file, text] : directory["files"].items())
      write_plain(path / file, text.get_ref<const std::string&>());
    const Tokenizer tokenizer = Tokenizer::from_directory(path);
    for (std::size_t i = 0; i < directory["texts"].size(); ++i) {
      const std::string text = directory["texts"][i];
      CHECK(tokenizer.encode(text) == directory["ids"][i].get<Ids>());
      CHECK(tokenizer.encode_whole(text) == directory["whole"][i].get<Ids>());
    }
  }
}
