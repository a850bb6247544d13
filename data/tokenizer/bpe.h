#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "data/tokenizer/vocabulary.h"

namespace dualpath::data {

struct BpeOptions {
  bool ignore_merges = false;  // a word that is a token is that token, whatever the merges say
  // The id of a byte that has no token; if not given, such bytes are dropped.
  std::optional<std::int32_t> unknown = std::nullopt;
  bool fuse_unknown = false;  // a run of such bytes gives one token
};

/// Byte-pair encoding of single words: starting from one symbol a byte, the neighbouring pair that
/// was learned first is merged, leftmost first, until no pair is left. O(n log n) in the word's
/// length.
class Bpe {
 public:
  using Merges = std::vector<std::pair<std::string, std::string>>;  // in the order learned

  /// Error if a merge's parts or their union are no tokens.
  Bpe(Vocabulary vocabulary, const Merges& merges, BpeOptions options);

  /// Appends the word's ids. The word is plain bytes, not in the byte alphabet.
  void encode(std::string_view word, std::vector<std::int32_t>& ids) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  struct Merge {
    std::int32_t rank, id;
  };
  class Word;

  std::int32_t id_of(const std::string& token) const;
  const Merge* find_merge(std::int32_t left, std::int32_t right) const;
  Word symbols(std::string_view word) const;

  Vocabulary vocabulary_;
  BpeOptions options_;
  std::array<std::int32_t, 256> byte_ids_;           // -1 where a byte has no token
  std::unordered_map<std::uint64_t, Merge> merges_;  // (left id, right id) → the merge
};

}  // namespace dualpath::data
