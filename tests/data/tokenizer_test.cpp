#include "data/tokenizer.h"

#include <rapidcheck.h>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "data/base/atomic_file.h"
#include "data/byte_alphabet.h"
#include "data/utf8.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using dualpath::testing::TemporaryDirectory;
using namespace dualpath::data;

namespace {

using nlohmann::json;

json description() {
  return json::parse(R"({
    "version": "1.0", "normalizer": null, "post_processor": null,
    "added_tokens": [{"id": 6, "content": "<end>", "normalized": false, "special": true}],
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "Ġ": 3, "Ġab": 4, "Ã": 5, "©": 7},
              "merges": ["a b", ["Ġ", "ab"]]}
  })");
}

Tokenizer tokenizer(const json& patch = json::object(), const std::string& config = "") {
  json patched = description();
  patched.merge_patch(patch);
  return Tokenizer({patched.dump(), config}, "model");
}

using Ids = std::vector<std::int32_t>;

}  // namespace

TEST_CASE("text becomes ids and ids become text", "[data][tokenizer]") {
  const Tokenizer t = tokenizer();
  CHECK(t.encode("ab ab<end>é") == Ids{2, 4, 6, 5, 7});
  CHECK(t.decode(Ids{2, 4, 6, 5, 7}) == "ab ab<end>é");
  CHECK(t.encode("").empty());
  CHECK(t.decode({}).empty());
}

TEST_CASE("a normalizer joins letters and marks before anything looks at them, but no added token",
          "[data][tokenizer]") {
  const json added = {{{"id", 6}, {"content", "<e\u0301>"}, {"normalized", false}},
                      {{"id", 8}, {"content", "[e\u0301]"}, {"normalized", true}}};
  const Tokenizer t = tokenizer({{"normalizer", {{"type", "NFC"}}}, {"added_tokens", added}});
  CHECK(t.encode("e\u0301") == Ids{5, 7});
  CHECK(t.encode("ae\u0301b") == Ids{0, 5, 7, 1});
  CHECK(t.encode("<e\u0301>") == Ids{6});
  CHECK(t.encode("<\u00E9>") == Ids{5, 7});  // < and > have no tokens
  CHECK(t.encode("[e\u0301][\u00E9]") == Ids{8, 8});
}

TEST_CASE("decoding replaces a character cut short and leaves out ids that are none",
          "[data][tokenizer]") {
  CHECK(tokenizer().decode(Ids{0, 5, 1, 99, -1, 7}) == "a\uFFFDb\uFFFD");
}

TEST_CASE(
    "where every byte has a token, decoding gives back any bytes, those that are no UTF-8 replaced",
    "[data][tokenizer]") {
  json vocabulary;
  for (const std::string& byte : byte_alphabet()) vocabulary[byte] = 10 + vocabulary.size();
  const Tokenizer t = tokenizer({{"model", {{"vocab", vocabulary}, {"merges", {"a b"}}}}});
  CHECK(rc::check([&](const std::string& bytes) {
    RC_ASSERT(t.decode(t.encode(bytes)) == replace_invalid_utf8(bytes));
  }));
}

TEST_CASE(
    "vocab_size counts rows of an embedding, token_id asks for tokens as the file spells them",
    "[data][tokenizer]") {
  const Tokenizer t = tokenizer({{"model", {{"vocab", {{"far", 20}}}}}});
  CHECK(t.vocab_size() == 21);
  CHECK(t.token_id("Ġab") == 4);
  CHECK(t.token_id("<end>") == 6);
  CHECK(t.token_id(" ab") == std::nullopt);
  CHECK(t.decode(Ids{10}).empty());  // nothing has this id
}

TEST_CASE("special tokens come from tokenizer_config.json, as strings or objects",
          "[data][tokenizer]") {
  const SpecialTokens special =
      tokenizer(json::object(),
                R"({"eos_token": "<end>", "bos_token": {"content": "a"}, "pad_token": null})")
          .special_tokens();
  CHECK(special.eos == 6);
  CHECK(special.bos == 0);
  CHECK(special.pad == std::nullopt);
  CHECK(tokenizer().special_tokens().eos == std::nullopt);
  CHECK_THROWS_WITH(tokenizer(json::object(), R"({"eos_token": "<stop>"})"),
                    "model/tokenizer_config.json: eos_token: '<stop>' is not in the vocabulary");
}

TEST_CASE("a directory gives back its files byte for byte", "[data][tokenizer]") {
  const TemporaryDirectory directory;
  const std::string text = description().dump(1, '\t'), config = "{ \"eos_token\": \"<end>\" }\n";
  write_file(directory.path() / "tokenizer.json", text);
  CHECK(Tokenizer::from_directory(directory.path()).files().tokenizer_config_json.empty());
  write_file(directory.path() / "tokenizer_config.json", config);
  const Tokenizer t = Tokenizer::from_directory(directory.path());
  CHECK(t.files().tokenizer_json == text);
  CHECK(t.files().tokenizer_config_json == config);
  CHECK(t.special_tokens().eos == 6);
  CHECK_THROWS_WITH(Tokenizer::from_directory("no/such"),
                    Catch::Contains("no/such/tokenizer.json"));
}

TEST_CASE("a tokenizer of another kind is refused by name", "[data][tokenizer]") {
  const auto refused = [](const json& patch, const std::string& message) {
    INFO(patch.dump());
    CHECK_THROWS_WITH(tokenizer(patch),
                      Catch::Contains("model/tokenizer.json") && Catch::Contains(message));
  };
  refused({{"normalizer", {{"type", "NFKC"}}}}, "expected NFC or null, got NFKC");
  refused({{"decoder", {{"type", "Metaspace"}}}}, "expected ByteLevel, got Metaspace");
  refused({{"pre_tokenizer", {{"type", "Whitespace"}}}}, "got Whitespace");
  refused({{"pre_tokenizer", nullptr}}, "pre_tokenizer");
  refused({{"model", {{"type", "Unigram"}}}}, "expected BPE, got Unigram");
  refused({{"model", {{"type", "WordPiece"}}}}, "expected BPE, got WordPiece");
  refused({{"model", {{"byte_fallback", true}}}}, "byte_fallback is not supported");
  refused({{"model", {{"dropout", 0.1}}}}, "dropout is not supported");
  refused({{"model", {{"end_of_word_suffix", "</w>"}}}}, "end_of_word_suffix is not supported");
  refused({{"model", {{"unk_token", "?"}}}}, "unk_token: '?' is not in vocab");
}

TEST_CASE("a broken tokenizer.json says where", "[data][tokenizer]") {
  const auto refused = [](const json& patch, const std::string& message) {
    INFO(patch.dump());
    CHECK_THROWS_WITH(tokenizer(patch),
                      Catch::Contains("model/tokenizer.json") && Catch::Contains(message));
  };
  refused({{"model", {{"vocab", {{"a", -1}}}}}}, "model.vocab.a: ");
  refused({{"model", {{"vocab", {{"a", 2'000'000'000}}}}}}, "model.vocab.a: ");
  refused({{"model", {{"vocab", {{"x", 2}}}}}}, "both have id 2");
  refused({{"model", {{"vocab", {{"<end>", 9}}}}}}, "'<end>' has ids 9 and 6");
  refused({{"model", {{"merges", {"a"}}}}}, R"(merges: expected "a b" or ["a", "b"], got "a")");
  refused({{"model", {{"merges", {"b b"}}}}}, "merges: 'bb' is not in the vocabulary");
  refused({{"model", {{"merges", nullptr}}}}, "merges: expected an array");
  refused({{"model", nullptr}}, "model");
  CHECK_THROWS_WITH(Tokenizer({"{", ""}, "model"), Catch::Contains("model/tokenizer.json"));
}
