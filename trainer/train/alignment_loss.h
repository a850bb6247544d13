#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "data/samples/samples.h"
#include "data/tokenizer/tokenizer.h"

namespace dualpath::trainer {

/// The tokens that answers are made of, and a class for each. A modality's placeholder is one, too:
/// it says nothing.
class AnswerTokens {
 public:
  /// table: the decoder's [vocabulary, H]. Directions of the tokens' rows are kept in float32.
  AnswerTokens(const std::set<std::int64_t>& tokens, const torch::Tensor& table);

  /// The tokens' classes, in order; those that have none are left out.
  std::vector<std::int64_t> classes_of(std::span<const std::int64_t> tokens) const;
  std::int64_t class_of(std::int64_t token) const { return classes_.at(token); }
  /// Log-probabilities of the classes by the cosine between states [..., H] and tokens' rows:
  /// [..., classes] float32.
  torch::Tensor log_probabilities(const torch::Tensor& states) const;

 private:
  std::map<std::int64_t, std::int64_t> classes_;
  torch::Tensor directions_;  // [classes, H], rows of length 1
};

/// Finds the tokens that samples' answers are made of: all targets but stop tokens and white space.
std::set<std::int64_t> tokens_of_answers(const data::Samples& samples,
                                         const data::Tokenizer& tokenizer,
                                         const std::set<std::int64_t>& stop_tokens);

/// Sums -log p of an answer that is heard in order: CTC over a clip's states [T, H], with the
/// placeholder's class as the blank. The answer must fit (see fewest_frames()).
torch::Tensor spoken_loss(const AnswerTokens& tokens, const torch::Tensor& states,
                          std::span<const std::int64_t> classes, std::int64_t blank);
/// Sums -log p of an answer's tokens by the mean of a picture's states [T, H]: a picture says what
/// is in it, in no order.
torch::Tensor shown_loss(const AnswerTokens& tokens, const torch::Tensor& states,
                         std::span<const std::int64_t> classes);

}  // namespace dualpath::trainer
