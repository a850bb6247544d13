#include "modules/runtime/read_prompts.h"

#include <array>

#include "modules/execute/float_executor.h"
#include "modules/runtime/generation.h"
#include "tests/support/catch.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::modules;
using namespace dualpath::testing;

namespace {

const std::vector<std::int32_t> kFirst{17, 401, 33, 250, 8}, kSecond{90, 12, 333, 5, 61};

data::Batch prompt_batch() {
  return data::make_batch(std::array{data::TokenSpan(kFirst), data::TokenSpan(kSecond)});
}

/// The tokens that generate() picks, the likeliest each time.
TokenIds one_by_one(const Model& model, Executor& executor, const std::vector<std::int32_t>& prompt,
                    std::size_t count) {
  TokenIds tokens;
  const at::Tensor ids = at::tensor(std::vector<std::int64_t>(prompt.begin(), prompt.end()));
  generate(model.network, executor, make_state(ids.unsqueeze(0)), most_likely,
           [&](std::int64_t token) {
             tokens.push_back(token);
             return tokens.size() < count;
           });
  return tokens;
}

}  // namespace

TEST_CASE("several prompts side by side go on as each does alone", "[modules][read_prompts]") {
  const Model model = tiny_llama("tied");
  FloatExecutor executor(model.weights, at::kFloat);
  const ReadPrompts read(model.network, executor, prompt_batch());
  const auto together = read.greedy({}, 12);
  CHECK(together[0] == one_by_one(model, executor, kFirst, 12));
  CHECK(together[1] == one_by_one(model, executor, kSecond, 12));
  CHECK(read.greedy({}, 12) == together);  // it starts at the prompts again
}

TEST_CASE("an answer ends before its first stop token, whatever the other prompts do",
          "[modules][read_prompts]") {
  const Model model = tiny_llama("tied");
  FloatExecutor executor(model.weights, at::kFloat);
  const ReadPrompts read(model.network, executor, prompt_batch());
  const auto whole = read.greedy({}, 8);
  const auto stopped = read.greedy({whole[0][3]}, 8);
  const auto end = std::ranges::find(whole[0], whole[0][3]);
  CHECK(stopped[0] == TokenIds(whole[0].begin(), end));
  if (std::ranges::find(whole[1], whole[0][3]) == whole[1].end()) CHECK(stopped[1] == whole[1]);
}

TEST_CASE("tokens of unequal number behind prompts give the logits of the whole texts",
          "[modules][read_prompts]") {
  const Model model = tiny_llama("tied");
  FloatExecutor executor(model.weights, at::kFloat);
  const ReadPrompts read(model.network, executor, prompt_batch());
  const std::vector<TokenIds> more{{7, 77, 177}, {8}};
  const at::Tensor behind = read.logits_behind(more);
  CHECK(read.logits_behind(more).equal(behind));
  const auto whole = [&](const std::vector<std::int32_t>& prompt, const TokenIds& tokens) {
    TokenIds ids(prompt.begin(), prompt.end());
    ids.insert(ids.end(), tokens.begin(), tokens.end());
    return logits_of(model.network, executor, at::tensor(ids).unsqueeze(0))[0][-1];
  };
  CHECK(largest_difference(behind[0], whole(kFirst, more[0])) < 1e-4f);
  CHECK(largest_difference(behind[1], whole(kSecond, more[1])) < 1e-4f);
}
