#include "modules/runtime/answer_search.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "data/base/generator.h"
#include "modules/execute/float_executor.h"
#include "tests/support/catch.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::modules;
using namespace dualpath::testing;

namespace {

const std::set<std::int64_t> kEnds{0, 9};

/// Sixty answers of one to four tokens. Many begin alike, and some end where others go on.
std::vector<TokenIds> made_answers() {
  Generator generator(4);
  std::set<TokenIds> answers;
  while (answers.size() < 60) {
    TokenIds answer;
    for (std::uint64_t i = 0, size = 1 + generator.below(4); i < size; ++i)
      answer.push_back(static_cast<std::int64_t>(20 + generator.below(5)));
    answers.insert(answer);
  }
  return {answers.begin(), answers.end()};
}

/// An answer's log-likelihood behind a prompt, by running the whole text.
double log_likelihood(const Model& model, Executor& executor,
                      const std::vector<std::int32_t>& prompt, const TokenIds& answer) {
  TokenIds ids(prompt.begin(), prompt.end());
  ids.insert(ids.end(), answer.begin(), answer.end());
  const at::Tensor log_p =
      logits_of(model.network, executor, at::tensor(ids).unsqueeze(0))[0].log_softmax(-1);
  const auto before = static_cast<std::int64_t>(prompt.size()) - 1;
  double sum = 0.0, end = 0.0;
  for (std::size_t i = 0; i < answer.size(); ++i)
    sum += log_p[before + static_cast<std::int64_t>(i)][answer[i]].item<double>();
  for (const std::int64_t token : kEnds) end += std::exp(log_p[-1][token].item<double>());
  return sum + std::log(end);
}

}  // namespace

TEST_CASE("the search finds the ranks that scoring every answer gives", "[modules][answers]") {
  const Model model = tiny_llama("tied");
  FloatExecutor executor(model.weights, at::kFloat);
  const std::vector<std::vector<std::int32_t>> prompts{{17, 401, 33}, {90, 12, 333}, {5, 5, 6}};
  const std::vector<TokenIds> answers = made_answers();
  AnswerTree tree;
  for (std::size_t i = 0; i < answers.size(); ++i) tree.add(answers[i], i);

  std::vector<data::TokenSpan> spans(prompts.begin(), prompts.end());
  const ReadPrompts read(model.network, executor, data::make_batch(spans));
  std::vector<std::vector<std::size_t>> order(prompts.size());
  for (std::size_t prompt = 0; prompt < prompts.size(); ++prompt) {
    std::vector<std::pair<double, std::size_t>> scored;
    for (std::size_t i = 0; i < answers.size(); ++i)
      scored.emplace_back(-log_likelihood(model, executor, prompts[prompt], answers[i]), i);
    std::ranges::sort(scored);
    for (const auto& [loss, answer] : scored) order[prompt].push_back(answer);
  }
  for (const std::size_t place : {0u, 1u, 4u, 5u, 30u, 59u}) {
    std::vector<std::size_t> wanted;
    for (const auto& sorted : order) wanted.push_back(sorted[place]);
    INFO("place " << place);
    const auto first_five = ranks_of(wanted, tree, read, kEnds, 5),
               all = ranks_of(wanted, tree, read, kEnds, 60);
    for (std::size_t prompt = 0; prompt < prompts.size(); ++prompt) {
      CHECK(all[prompt] == place);
      CHECK(first_five[prompt] == (place < 5 ? std::optional(place) : std::nullopt));
    }
  }
}

TEST_CASE("an answer of several spellings has the rank of its likeliest one, and counts once",
          "[modules][answers]") {
  const Model model = tiny_llama("tied");
  FloatExecutor executor(model.weights, at::kFloat);
  const std::vector<std::int32_t> prompt{17, 401, 33};
  const ReadPrompts read(model.network, executor,
                         data::make_batch(std::array{data::TokenSpan(prompt)}));
  std::vector<TokenIds> spellings{{20}, {21}, {22}, {23}};
  std::ranges::sort(spellings, std::greater<>(), [&](const TokenIds& tokens) {
    return log_likelihood(model, executor, prompt, tokens);
  });
  AnswerTree tree;  // answer 0 has the two likeliest spellings
  tree.add(spellings[0], 0);
  tree.add(spellings[1], 0);
  tree.add(spellings[2], 1);
  tree.add(spellings[3], 2);
  CHECK(ranks_of({0}, tree, read, kEnds, 3)[0] == 0u);
  CHECK(ranks_of({1}, tree, read, kEnds, 3)[0] == 1u);
  CHECK(ranks_of({2}, tree, read, kEnds, 3)[0] == 2u);
}
