#include "data/tokenizer/bpe.h"

#include <catch2/catch.hpp>

#include "data/base/error.h"

using namespace dualpath::data;

namespace {

const Vocabulary kVocabulary{{"a", 0},  {"b", 1},   {"c", 2},  {"ab", 3}, {"bc", 4},
                             {"aa", 5}, {"abc", 6}, {"Ġa", 7}, {"Ġ", 8},  {"<unk>", 9}};
const Bpe::Merges kMerges{{"b", "c"}, {"a", "b"}, {"a", "a"}, {"Ġ", "a"}, {"a", "bc"}};

std::vector<std::int32_t> encode(std::string_view word, BpeOptions options = {}) {
  std::vector<std::int32_t> ids;
  Bpe(kVocabulary, kMerges, options).encode(word, ids);
  return ids;
}

using Ids = std::vector<std::int32_t>;

}  // namespace

TEST_CASE("the pair learned first is merged first, wherever it stands", "[data][bpe]") {
  CHECK(encode("abc") == Ids{6});  // b c, then a bc; not a b
  CHECK(encode("ab") == Ids{3});
  CHECK(encode("cab") == Ids{2, 3});
  CHECK(encode("") == Ids{});
}

TEST_CASE("of equal pairs the leftmost is merged first", "[data][bpe]") {
  CHECK(encode("aaa") == Ids{5, 0});
  CHECK(encode("aaaa") == Ids{5, 5});
}

TEST_CASE("a word is bytes and the vocabulary their alphabet", "[data][bpe]") {
  CHECK(encode(" a") == Ids{7});
}

TEST_CASE("a byte without a token is dropped or becomes the unknown token", "[data][bpe]") {
  CHECK(encode("axxb") == Ids{3});  // as in tokenizers: what stood around it now touches
  CHECK(encode("axxb", {.unknown = 9}) == Ids{0, 9, 9, 1});
  CHECK(encode("axxb", {.unknown = 9, .fuse_unknown = true}) == Ids{0, 9, 1});
}

TEST_CASE("ignore_merges takes a word that is a token as it is", "[data][bpe]") {
  const Vocabulary vocabulary{{"a", 0}, {"b", 1}, {"Ġ", 2}, {"Ġab", 3}};
  Ids with, without;
  Bpe(vocabulary, {}, {.ignore_merges = true}).encode(" ab", with);
  Bpe(vocabulary, {}, {}).encode(" ab", without);
  CHECK(with == Ids{3});
  CHECK(without == Ids{2, 0, 1});
}

TEST_CASE("a merge outside the vocabulary is an error", "[data][bpe]") {
  CHECK_THROWS_WITH(Bpe(kVocabulary, {{"c", "c"}}, {}), "merges: 'cc' is not in the vocabulary");
}
