#include "data/tokenizer/bpe.h"

#include <queue>
#include <tuple>

#include "data/base/error.h"
#include "data/tokenizer/byte_alphabet.h"

namespace dualpath::data {
namespace {

constexpr std::int32_t kNone = -1;

std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
}

}  // namespace

/// A word's symbols in a doubly linked list, which merging shortens in place.
class Bpe::Word {
 public:
  explicit Word(const Bpe& bpe) : bpe_(bpe) {}

  void add(std::int32_t id) {
    const auto index = static_cast<std::int32_t>(symbols_.size());
    if (index > 0) symbols_.back().next = index;
    symbols_.push_back({id, index - 1, kNone});
  }

  void merge_all() {
    for (std::int32_t i = 0; i + 1 < static_cast<std::int32_t>(symbols_.size()); ++i) propose(i);
    while (!candidates_.empty()) {
      const Candidate candidate = candidates_.top();
      candidates_.pop();
      if (still_holds(candidate)) apply(candidate);
    }
  }

  void append_to(std::vector<std::int32_t>& ids) const {
    for (std::int32_t i = symbols_.empty() ? kNone : 0; i != kNone; i = at(i).next) {
      ids.push_back(at(i).id);
    }
  }

 private:
  struct Symbol {
    std::int32_t id, previous, next;  // id: kNone after a merge into the left neighbour
  };
  struct Candidate {
    std::int32_t rank, left, id;
    // priority_queue yields the greatest, so the order is reversed: lowest rank, then leftmost.
    bool operator<(const Candidate& other) const {
      return std::tie(rank, left) > std::tie(other.rank, other.left);
    }
  };

  Symbol& at(std::int32_t i) { return symbols_[static_cast<std::size_t>(i)]; }
  const Symbol& at(std::int32_t i) const { return symbols_[static_cast<std::size_t>(i)]; }

  const Merge* merge_at(std::int32_t left) const {
    const std::int32_t right = at(left).next;
    return right == kNone ? nullptr : bpe_.find_merge(at(left).id, at(right).id);
  }

  void propose(std::int32_t left) {
    if (const Merge* merge = merge_at(left)) candidates_.push({merge->rank, left, merge->id});
  }

  // Whether the pair is still there: either symbol may have been merged with another since.
  bool still_holds(const Candidate& candidate) const {
    if (at(candidate.left).id == kNone) return false;
    const Merge* merge = merge_at(candidate.left);
    return merge != nullptr && merge->id == candidate.id;
  }

  void apply(const Candidate& candidate) {
    Symbol& left = at(candidate.left);
    Symbol& right = at(left.next);
    left.id = candidate.id;
    left.next = std::exchange(right.next, kNone);
    right.id = kNone;
    if (left.next != kNone) at(left.next).previous = candidate.left;
    if (left.previous != kNone) propose(left.previous);
    propose(candidate.left);
  }

  const Bpe& bpe_;
  std::vector<Symbol> symbols_;
  std::priority_queue<Candidate> candidates_;
};

Bpe::Bpe(Vocabulary vocabulary, const Merges& merges, BpeOptions options)
    : vocabulary_(std::move(vocabulary)), options_(options) {
  for (std::size_t byte = 0; byte < byte_ids_.size(); ++byte) {
    const auto token = vocabulary_.find(byte_alphabet()[byte]);
    byte_ids_[byte] = token == vocabulary_.end() ? kNone : token->second;
  }
  merges_.reserve(merges.size());
  std::int32_t rank = 0;
  for (const auto& [left, right] : merges) {
    // A pair listed twice counts at its last place, as in `tokenizers`.
    merges_.insert_or_assign(pair_key(id_of(left), id_of(right)),
                             Merge{rank++, id_of(left + right)});
  }
}

std::int32_t Bpe::id_of(const std::string& token) const {
  const auto found = vocabulary_.find(token);
  if (found == vocabulary_.end()) throw Error("merges: '{}' is not in the vocabulary", token);
  return found->second;
}

const Bpe::Merge* Bpe::find_merge(std::int32_t left, std::int32_t right) const {
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

Bpe::Word Bpe::symbols(std::string_view word) const {
  Word symbols(*this);
  bool after_unknown = false;
  for (const char byte : word) {
    const std::int32_t id = byte_ids_[static_cast<unsigned char>(byte)];
    const bool unknown = id == kNone;
    if (!unknown) {
      symbols.add(id);
    } else if (options_.unknown && !(after_unknown && options_.fuse_unknown)) {
      symbols.add(*options_.unknown);
    }
    after_unknown = unknown;
  }
  return symbols;
}

void Bpe::encode(std::string_view word, std::vector<std::int32_t>& ids) const {
  if (options_.ignore_merges) {
    const auto token = vocabulary_.find(to_byte_alphabet(word));
    if (token != vocabulary_.end()) return ids.push_back(token->second);
  }
  Word merged = symbols(word);
  merged.merge_all();
  merged.append_to(ids);
}

}  // namespace dualpath::data
