#include "data/patterns/target.h"

#include <catch2/catch.hpp>

using namespace dualpath::data;

TEST_CASE("a broken expression is no target", "[data][target]") {
  CHECK(target_mistake("re:(model") == "regular expression '(model': missing closing parenthesis");
  CHECK_FALSE(target_mistake("(model"));
  CHECK_FALSE(target_mistake("re:(?i)MODEL"));
}

TEST_CASE("a pattern matches from the start of a name, not to its end", "[data][target]") {
  CHECK(matches("re:model[.]layers[.]1", "model.layers.12.mlp"));
  CHECK_FALSE(matches("re:layers", "model.layers.1"));
  CHECK(matches("a.b", "a.b"));
  CHECK_FALSE(matches("a.b", "a.b.c"));
}

TEST_CASE("a target that matches nothing is told what is near it", "[data][target]") {
  const auto hint = [](const std::string& target, const std::vector<std::string>& names) {
    const std::string message = unmatched(target, "linear", names);
    return message.substr(message.find("; ") + 2);
  };
  const std::vector<std::string> names{"model.layers.0.mlp.down_proj", "lm_head", "Linear"};
  CHECK(hint("Lienar", names) == "nearest: Linear");
  CHECK(hint("LM_HEAD", names) == "nearest: lm_head");
  CHECK(hint("down_proj", names) == "nearest: re:.*down_proj");
  CHECK(hint(R"(re:.*\.layers\.\d+\.mlp.dwon_proj)", names) == "nearest to dwon_proj: down_proj");
  CHECK(hint("re:mlp", names) == "one is called model.layers.0.mlp.down_proj");
  CHECK(hint("re:", {}) == "there is none");
  CHECK(hint("a", {}) == "there is none");
}
