#include "modules/runtime/text_generation.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "data/formats/json.h"
#include "modules/execute/float_executor.h"
#include "tests/support/catch.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::modules;
using namespace dualpath::testing;
using nlohmann::json;

namespace {

/// Text that transformers generates greedily behind a prompt, by model.
json greedy_of(const std::string& model) {
  const json all = data::read_json(kReference / "generation.json");
  for (const json& g : all["greedy"])
    if (g["model"] == model) return g;
  throw Error("no greedy text of {}", model);
}

/// A small model in float32 and a prompt for it.
struct Tiny {
  explicit Tiny(const std::string& name = "tiny_llama/tied")
      : expected(greedy_of(name)),
        model(modules::open_model(kReference / name)),
        executor(model.weights, at::kFloat),
        prompt(expected["prompt_ids"].get<std::vector<std::int32_t>>()) {}

  GeneratedText say(const GenerationOptions& options) {
    streamed.clear();
    return generate_text(model, executor, data::make_batch(std::array{data::TokenSpan(prompt)}),
                         options, [&](std::string_view text) { streamed += text; });
  }

  json expected;
  modules::Model model;
  modules::FloatExecutor executor;
  std::vector<std::int32_t> prompt;
  std::string streamed;
};

}  // namespace

TEST_CASE("greedy text is that of transformers' generate(), to its stop token",
          "[modules][generation]") {
  const std::string name = GENERATE("tiny_llama/tied", "tiny_llama/untied_sharded",
                                    "tiny_families/glm4", "tiny_families/qwen3");
  INFO(name);
  Tiny tiny(name);
  CHECK(tiny.model.tokenizer.encode_whole(tiny.expected["prompt"].get<std::string>()) ==
        tiny.prompt);
  tiny.model.generation_config["eos_token_id"] = tiny.expected["stop"];
  const GeneratedText said = tiny.say({.max_tokens = 48});
  CHECK(said.tokens == tiny.expected["tokens"].get<std::vector<std::int64_t>>());
  CHECK(said.text == tiny.expected["text"].get<std::string>());
  CHECK(tiny.streamed == said.text);
  const bool ended = said.tokens.size() < 48;
  CHECK(ended == (name == "tiny_llama/untied_sharded"));
  CHECK(said.finish == (ended ? Finish::kStopToken : Finish::kMaxTokens));
}

TEST_CASE("a text ends before a stop string that straddles tokens", "[modules][generation]") {
  Tiny tiny;
  const std::string whole = tiny.say({.max_tokens = 48}).text;
  const std::size_t place = whole.find("earP");  // made of the tokens "The", "ar" and "P"
  REQUIRE(place != whole.npos);
  CHECK(tiny.say({.max_tokens = 48, .stop = {"ear Q", "earP"}}).text == whole.substr(0, place));
  CHECK(tiny.streamed == whole.substr(0, place));
  CHECK(tiny.say({.max_tokens = 48, .stop = {"earP"}}).finish == Finish::kStopString);
}

TEST_CASE("a text ends after so many tokens", "[modules][generation]") {
  Tiny tiny;
  const GeneratedText said = tiny.say({.max_tokens = 5});
  CHECK(said.tokens.size() == 5);
  CHECK(said.finish == Finish::kMaxTokens);
}

TEST_CASE("a text ends where the model's context is full, and a prompt must leave room",
          "[modules][generation]") {
  Tiny tiny;
  tiny.model.config.max_position_embeddings = std::ssize(tiny.prompt) + 3;
  const GeneratedText said = tiny.say({.max_tokens = 48});
  CHECK(said.tokens.size() == 3);
  CHECK(said.finish == Finish::kContext);
  tiny.model.config.max_position_embeddings = std::ssize(tiny.prompt);
  CHECK_THROWS_WITH(tiny.say({}),
                    "the prompt has 14 tokens; the model's context is 14, the answer "
                    "included");
  tiny.prompt.clear();
  CHECK_THROWS_WITH(tiny.say({}), "the prompt has no token to begin with");
}

TEST_CASE("drawn text is the same for a seed, and its pieces are the whole",
          "[modules][generation]") {
  Tiny tiny;
  const auto drawn = [&](std::uint64_t seed) {
    const GenerationOptions options{.max_tokens = 24,
                                    .sampling = {.temperature = 1.0, .top_k = 20, .top_p = 0.9},
                                    .seed = seed};
    const std::string text = tiny.say(options).text;
    CHECK(tiny.streamed == text);
    return text;
  };
  CHECK(drawn(3) == drawn(3));
  CHECK(drawn(3) != drawn(4));
}
