#include "data/tokenizer/tokenizer.h"

#include <rapidcheck.h>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "data/base/utf8.h"
#include "data/files/atomic_file.h"
#include "data/tokenizer/byte_alphabet.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using dualpath::testing::TemporaryDirectory;
using namespace dualpath::data;

namespace {

using nlohmann::json;

json description() {
  return json::parse(R"({
    "version": "1.0", "normalizer": null, "post_processor": null,
    "added_tokens": [{"id": 7, "content": "<end>", "normalized": false, "special": true}],
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "Ġ": 3, "Ġab": 4, "Ã": 5, "©": 6},
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
  CHECK(t.encode("ab ab<end>é") == Ids{2, 4, 7, 5, 6});
  CHECK(t.decode(Ids{2, 4, 7, 5, 6}) == "ab ab<end>é");
  CHECK(t.encode("").empty());
  CHECK(t.decode({}).empty());
}

TEST_CASE("a normalizer joins letters and marks before anything looks at them, but no added token",
          "[data][tokenizer]") {
  const json added = {{{"id", 7}, {"content", "<e\u0301>"}, {"normalized", false}},
                      {{"id", 8}, {"content", "[e\u0301]"}, {"normalized", true}}};
  const Tokenizer t = tokenizer({{"normalizer", {{"type", "NFC"}}}, {"added_tokens", added}});
  CHECK(t.encode("e\u0301") == Ids{5, 6});
  CHECK(t.encode("ae\u0301b") == Ids{0, 5, 6, 1});
  CHECK(t.encode("<e\u0301>") == Ids{7});
  CHECK(t.encode("<\u00E9>") == Ids{5, 6});  // < and > have no tokens
  CHECK(t.encode("[e\u0301][\u00E9]") == Ids{8, 8});
}

TEST_CASE("decoding replaces a character cut short and leaves out ids that are none",
          "[data][tokenizer]") {
  CHECK(tokenizer().decode(Ids{0, 5, 1, 99, -1, 6}) == "a\uFFFDb\uFFFD");
}

TEST_CASE(
    "where every byte has a token, decoding gives back any bytes, those that are no UTF-8 replaced",
    "[data][tokenizer]") {
  json vocabulary;
  for (const std::string& byte : byte_alphabet()) vocabulary[byte] = 10 + vocabulary.size();
  const Tokenizer t = tokenizer(
      {{"added_tokens", nullptr}, {"model", {{"vocab", vocabulary}, {"merges", {"a b"}}}}});
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
  CHECK(t.token_id("<end>") == 8);  // the next free one: 8 tokens are in the vocabulary
  CHECK(t.token_id(" ab") == std::nullopt);
  CHECK(t.decode(Ids{10}).empty());  // nothing has this id
}

TEST_CASE("special tokens come from tokenizer_config.json, as strings or objects",
          "[data][tokenizer]") {
  const SpecialTokens special =
      tokenizer(json::object(),
                R"({"eos_token": "<end>", "bos_token": {"content": "a"}, "pad_token": null})")
          .special_tokens();
  CHECK(special.eos == 7);
  CHECK(special.bos == 0);
  CHECK(special.pad == std::nullopt);
  CHECK(tokenizer().special_tokens().eos == std::nullopt);
}

TEST_CASE("tokens that only the files beside tokenizer.json have are tokens", "[data][tokenizer]") {
  const Tokenizer t = tokenizer(json::object(), R"({"eos_token": "<stop>", "added_tokens_decoder":
      {"300": {"content": "<think>", "normalized": false}}})");
  CHECK(t.encode("a<think>b<stop><end>") == Ids{0, 8, 1, 9, 7});
  CHECK(t.special_tokens().eos == 9);
  CHECK(t.decode(Ids{8, 9}) == "<think><stop>");
  CHECK(t.vocab_size() == 10);
}

TEST_CASE("what tokenizer_config.json says of a token goes before tokenizer.json",
          "[data][tokenizer]") {
  const Tokenizer t = tokenizer(json::object(), R"({"added_tokens_decoder":
      {"7": {"content": "<end>", "normalized": false, "lstrip": true}}})");
  CHECK(t.encode("a <end>") == Ids{0, 7});
  CHECK(tokenizer().encode("a <end>") == Ids{0, 3, 7});
}

TEST_CASE("an added token's id is the next free one, as in tokenizers, whatever the file says",
          "[data][tokenizer]") {
  const json added = {{{"id", 1000}, {"content", "<new>"}, {"normalized", false}},
                      {{"id", 500}, {"content", "b"}, {"normalized", false}}};
  const Tokenizer t = tokenizer({{"added_tokens", added}});
  CHECK(t.encode("a<new>b") == Ids{0, 7, 1});
  CHECK(t.vocab_size() == 8);
}

TEST_CASE("sequences, nested or empty, are their members", "[data][tokenizer]") {
  const auto sequence = [](const char* members, const json& list) {
    return json{{"type", "Sequence"}, {members, list}};
  };
  const json nfc = {{"type", "NFC"}}, bytes = {{"type", "ByteLevel"}};
  const json none = sequence("normalizers", json::array());
  CHECK(tokenizer({{"normalizer", none}}).encode("e\u0301").empty());  // no token for its bytes
  const json nested = sequence("normalizers", {none, sequence("normalizers", {nfc, nfc})});
  CHECK(tokenizer({{"normalizer", nested}}).encode("e\u0301") == Ids{5, 6});
  const json decoder =
      sequence("decoders", json::array({sequence("decoders", json::array({bytes}))}));
  CHECK(tokenizer({{"decoder", decoder}}).decode(Ids{4}) == " ab");
}

TEST_CASE("a model without a type is BPE if it has merges", "[data][tokenizer]") {
  CHECK(tokenizer({{"model", {{"type", nullptr}}}}).encode(" ab") == Ids{4});
  CHECK_THROWS_WITH(tokenizer({{"model", {{"type", nullptr}, {"merges", nullptr}}}}),
                    Catch::Contains("model.type: expected a string, but the key is missing"));
}

TEST_CASE("a key of tokenizer.json that is unknown is refused by name, wherever it stands",
          "[data][tokenizer]") {
  const auto refused = [](const json& patch, const std::string& message) {
    INFO(patch.dump());
    CHECK_THROWS_WITH(tokenizer(patch), Catch::Contains("model/tokenizer.json") &&
                                            Catch::Contains(message + " is not supported"));
  };
  const json other = {{"lowercase", true}};
  refused(other, "lowercase");
  refused({{"model", other}}, "model: lowercase");
  refused({{"pre_tokenizer", other}}, "pre_tokenizer: lowercase");
  refused({{"decoder", other}}, "decoder: lowercase");
  refused({{"normalizer", {{"type", "NFC"}, {"lowercase", true}}}}, "normalizer: lowercase");
  refused({{"post_processor", {{"type", "Sequence"}, {"lowercase", true}}}},
          "post_processor: lowercase");
  CHECK_NOTHROW(tokenizer({{"lowercase", nullptr}}));
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
  CHECK(t.special_tokens().eos == 7);
  write_file(directory.path() / "special_tokens_map.json", "");
  CHECK_THROWS_WITH(
      Tokenizer::from_directory(directory.path()),
      Catch::EndsWith("special_tokens_map.json: expected a JSON object, got an empty file"));
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
  refused({{"normalizer", {{"type", "Sequence"}, {"normalizers", {{{"type", "Lowercase"}}}}}}},
          "normalizer.normalizers[0]: expected NFC or null, got Lowercase");
  refused({{"version", "2.0"}}, "version: expected 1.0, got 2.0");
  refused({{"decoder", {{"type", "Sequence"}, {"decoders", json::array()}}}},
          "decoder: expected ByteLevel once, got it 0 times");
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
  refused({{"model", {{"merges", {"a"}}}}}, R"(merges: expected "a b" or ["a", "b"], got "a")");
  refused({{"model", {{"merges", {"b b"}}}}}, "merges: 'bb' is not in the vocabulary");
  refused({{"model", {{"merges", nullptr}}}}, "merges: expected an array");
  refused({{"model", nullptr}}, "model");
  CHECK_THROWS_WITH(Tokenizer({"{", ""}, "model"), Catch::Contains("model/tokenizer.json"));
}
