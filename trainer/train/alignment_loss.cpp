#include "trainer/train/alignment_loss.h"

#include <torch/torch.h>

#include <algorithm>
#include <string>

namespace dualpath::trainer {
namespace {

using torch::Tensor;

// Cosines between a state and 2 000 tokens lie within 0.2 of 0 until it learns; times 20 they leave
// a class room to reach a probability of 0.99.
constexpr double kSharpness = 20.0;

Tensor unit_rows(const Tensor& x) {
  return torch::nn::functional::normalize(x.to(torch::kFloat),
                                          torch::nn::functional::NormalizeFuncOptions().dim(-1));
}

Tensor long_tensor(std::span<const std::int64_t> values, at::Device device) {
  return torch::tensor(at::ArrayRef(values.data(), values.size()), torch::kLong).to(device);
}

bool is_white_space(const std::string& text) {
  return std::ranges::all_of(text, [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); });
}

}  // namespace

AnswerTokens::AnswerTokens(const std::set<std::int64_t>& tokens, const Tensor& table) {
  for (const std::int64_t token : tokens)
    classes_.emplace(token, static_cast<std::int64_t>(classes_.size()));
  const std::vector<std::int64_t> rows(tokens.begin(), tokens.end());
  directions_ = unit_rows(table.detach().index_select(0, long_tensor(rows, table.device())));
}

std::vector<std::int64_t> AnswerTokens::classes_of(std::span<const std::int64_t> tokens) const {
  std::vector<std::int64_t> classes;
  for (const std::int64_t token : tokens) {
    if (const auto found = classes_.find(token); found != classes_.end())
      classes.push_back(found->second);
  }
  return classes;
}

Tensor AnswerTokens::log_probabilities(const Tensor& states) const {
  return (torch::matmul(unit_rows(states), directions_.t()) * kSharpness).log_softmax(-1);
}

std::set<std::int64_t> tokens_of_answers(const data::Samples& samples,
                                         const data::Tokenizer& tokenizer,
                                         const std::set<std::int64_t>& stop_tokens) {
  std::set<std::int64_t> tokens;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const data::Sample sample = samples.sample(i);
    if (sample.files == nullptr || sample.files->empty()) continue;
    for (std::size_t t = 1; t < sample.tokens.ids.size(); ++t) {
      if (sample.tokens.is_target(t)) tokens.insert(sample.tokens.ids[t]);
    }
  }
  std::erase_if(tokens, [&](std::int64_t token) {
    const auto id = static_cast<std::int32_t>(token);
    return stop_tokens.contains(token) || is_white_space(tokenizer.decode({&id, 1}));
  });
  return tokens;
}

Tensor spoken_loss(const AnswerTokens& tokens, const Tensor& states,
                   std::span<const std::int64_t> classes, std::int64_t blank) {
  const Tensor lengths = long_tensor({{states.size(0)}}, at::kCPU);
  const std::int64_t count[] = {static_cast<std::int64_t>(classes.size())};
  return torch::ctc_loss(tokens.log_probabilities(states).unsqueeze(1),
                         long_tensor(classes, states.device()).unsqueeze(0), lengths,
                         long_tensor(count, at::kCPU), blank, at::Reduction::Sum);
}

Tensor shown_loss(const AnswerTokens& tokens, const Tensor& states,
                  std::span<const std::int64_t> classes) {
  const Tensor said = tokens.log_probabilities(states.to(torch::kFloat).mean(0));
  return -said.index_select(0, long_tensor(classes, states.device())).sum();
}

}  // namespace dualpath::trainer
