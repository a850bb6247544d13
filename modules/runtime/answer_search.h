#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "modules/runtime/read_prompts.h"

namespace dualpath::modules {

/// A closed list of answers as a tree of tokens. An answer may be there in several spellings.
class AnswerTree {
 public:
  /// Adds a spelling of an answer, at least one token. Equal spellings belong to one answer.
  void add(const TokenIds& tokens, std::size_t answer);

  struct Node {
    std::map<std::int64_t, std::size_t> next = {};  ///< token → node
    std::optional<std::size_t> answer = {};         ///< the answer that may end here
  };
  /// nodes()[0] is the empty beginning.
  const std::vector<Node>& nodes() const { return nodes_; }

 private:
  std::vector<Node> nodes_{1};
};

/// Finds the rank of one answer of the tree behind each prompt: 0 for the most likely of all; none
/// if it is not among the first `limit`. An answer's likelihood is that of its most likely
/// spelling: of its tokens and, behind them, of any stop token.
///
/// The search is exact: a log-likelihood only falls as a text grows, so the best beginnings are
/// read on first (best-first search), one of each prompt at a time, and whatever ends ahead of all
/// open beginnings is the next best answer.
std::vector<std::optional<std::size_t>> ranks_of(const std::vector<std::size_t>& answers,
                                                 const AnswerTree& tree, const ReadPrompts& prompts,
                                                 const std::set<std::int64_t>& stop_tokens,
                                                 std::size_t limit);

}  // namespace dualpath::modules
