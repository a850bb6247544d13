#include "modules/runtime/answer_search.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <queue>
#include <tuple>
#include <utility>

#include "data/process/interrupt.h"

namespace dualpath::modules {
namespace {

using at::Tensor;

/// A beginning of answers, or a whole one.
struct Beginning {
  double log_likelihood = 0.0;
  TokenIds tokens = {};
  std::size_t node = 0;
  bool is_whole = false;  ///< a stop token is behind it

  /// Among equally likely ones the smaller tokens come first.
  bool operator<(const Beginning& other) const {
    if (log_likelihood != other.log_likelihood) return log_likelihood < other.log_likelihood;
    return std::tie(other.tokens, other.is_whole) < std::tie(tokens, is_whole);
  }
};

/// The search behind one prompt.
class Search {
 public:
  Search(const AnswerTree& tree, const std::set<std::int64_t>& stop_tokens, std::size_t wanted,
         std::size_t limit)
      : tree_(tree), stop_tokens_(stop_tokens), wanted_(wanted), limit_(limit) {}

  bool is_over() const { return is_over_; }
  std::optional<std::size_t> rank() const { return rank_; }
  /// The beginning to read next.
  const Beginning& next() const { return next_; }

  /// Opens the ways on from next(). log_p: [vocabulary], of the token behind it.
  void open(const float* log_p) {
    const AnswerTree::Node& node = tree_.nodes()[next_.node];
    for (const auto& [token, behind] : node.next) {
      Beginning longer{next_.log_likelihood + log_p[token], next_.tokens, behind};
      longer.tokens.push_back(token);
      open_.push(std::move(longer));
    }
    if (node.answer)
      open_.push({next_.log_likelihood + end_of(log_p), next_.tokens, next_.node, true});
    take_whole();
  }

 private:
  double end_of(const float* log_p) const {
    double sum = 0.0;
    for (const std::int64_t token : stop_tokens_) sum += std::exp(double{log_p[token]});
    return std::log(sum);
  }

  /// Takes answers while they are ahead; then the best beginning is next.
  void take_whole() {
    while (!open_.empty()) {
      next_ = open_.top();
      open_.pop();
      if (!next_.is_whole) return;
      const std::size_t answer = *tree_.nodes()[next_.node].answer;
      if (answer == wanted_) {
        rank_ = found_.size();
        break;
      }
      found_.insert(answer);
      if (found_.size() == limit_) break;
    }
    is_over_ = true;
  }

  const AnswerTree& tree_;
  const std::set<std::int64_t>& stop_tokens_;
  std::size_t wanted_, limit_;
  std::priority_queue<Beginning> open_;
  Beginning next_;
  std::set<std::size_t> found_;
  std::optional<std::size_t> rank_;
  bool is_over_ = false;
};

void open_all(std::vector<Search>& searches, const Tensor& logits) {
  const Tensor log_p = logits.to(at::kCPU, at::kFloat).log_softmax(-1).contiguous();
  for (std::size_t row = 0; row < searches.size(); ++row) {
    if (searches[row].is_over()) continue;
    searches[row].open(log_p.const_data_ptr<float>() +
                       static_cast<std::int64_t>(row) * log_p.size(1));
  }
}

/// The tokens to read next behind each prompt. A search that is over reads along
/// what another one does.
std::vector<TokenIds> next_of(const std::vector<Search>& searches) {
  std::vector<TokenIds> tokens;
  const auto any = std::ranges::find(searches, false, &Search::is_over);
  for (const Search& search : searches)
    tokens.push_back(search.is_over() ? any->next().tokens : search.next().tokens);
  return tokens;
}

}  // namespace

void AnswerTree::add(const TokenIds& tokens, std::size_t answer) {
  std::size_t node = 0;
  for (const std::int64_t token : tokens) {
    const auto [place, is_new] = nodes_[node].next.try_emplace(token, nodes_.size());
    node = place->second;
    if (is_new) nodes_.emplace_back();
  }
  nodes_[node].answer = answer;
}

std::vector<std::optional<std::size_t>> ranks_of(const std::vector<std::size_t>& answers,
                                                 const AnswerTree& tree, const ReadPrompts& prompts,
                                                 const std::set<std::int64_t>& stop_tokens,
                                                 std::size_t limit) {
  std::vector<Search> searches;
  for (const std::size_t answer : answers) searches.emplace_back(tree, stop_tokens, answer, limit);
  open_all(searches, prompts.logits());
  while (!std::ranges::all_of(searches, &Search::is_over)) {
    throw_if_interrupted();
    open_all(searches, prompts.logits_behind(next_of(searches)));
  }
  std::vector<std::optional<std::size_t>> ranks;
  for (const Search& search : searches) ranks.push_back(search.rank());
  return ranks;
}

}  // namespace dualpath::modules
