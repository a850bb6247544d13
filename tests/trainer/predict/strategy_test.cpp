#include "trainer/predict/strategy.h"

#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/trainer/tiny_experiment.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;
using Catch::Contains;
using Catch::StartsWith;

namespace {

/// A tiny model with so large a batch that what is saved for backward takes most of the memory.
Experiment wide_experiment(const std::function<void(Recipe&)>& change = [](Recipe&) {}) {
  return tiny_experiment([&](Recipe& recipe) {
    recipe.train.per_device_train_batch_size = 512;
    recipe.train.max_steps = 2;
    change(recipe);
  });
}

StrategyChoice choice_of(const Experiment& experiment) {
  return choose_strategy(experiment.recipe, experiment.model, experiment.plan);
}

}  // namespace

TEST_CASE("training goes block by block where only that fits", "[trainer][strategy]") {
  Experiment experiment = wide_experiment();
  experiment.recipe.memory_limit = std::int64_t{1} << 50;
  const StrategyChoice roomy = choice_of(experiment);
  CHECK(roomy.strategy == Strategy::kEndToEnd);
  REQUIRE(roomy.blockwise.has_value());
  REQUIRE(*roomy.blockwise < roomy.end_to_end);
  CHECK(roomy.peak() == roomy.end_to_end);
  CHECK_THAT(roomy.why, StartsWith("which takes ") && Contains(" of memory_limit"));

  experiment.recipe.memory_limit = (*roomy.blockwise + roomy.end_to_end) / 2;
  const StrategyChoice narrow = choice_of(experiment);
  CHECK(narrow.strategy == Strategy::kBlockwise);
  CHECK_THAT(narrow.why, StartsWith("since end to end takes "));
  CHECK(narrow.limit == experiment.recipe.memory_limit);

  experiment.recipe.memory_limit = 1;
  CHECK_THAT(error_message([&] { choice_of(experiment); }),
             StartsWith("training takes at least ") && Contains(" blockwise, more than the ") &&
                 Contains("train.gradient_checkpointing=true"));
}

TEST_CASE("a recipe's own strategy is taken, unless it breaks the limit that it gives",
          "[trainer][strategy]") {
  Experiment experiment = wide_experiment();
  experiment.recipe.train.strategy = Strategy::kBlockwise;
  CHECK(choice_of(experiment).strategy == Strategy::kBlockwise);
  experiment.recipe.train.strategy = Strategy::kEndToEnd;
  const StrategyChoice choice = choice_of(experiment);
  CHECK(choice.strategy == Strategy::kEndToEnd);
  CHECK_THAT(choice.why, Contains(" that are free"));
  experiment.recipe.memory_limit = (*choice.blockwise + choice.end_to_end) / 2;
  CHECK_THAT(error_message([&] { choice_of(experiment); }), StartsWith("training takes at least "));
}

TEST_CASE("blocks need a distance to be trained by", "[trainer][strategy]") {
  const Experiment alone = wide_experiment([](Recipe& recipe) { recipe.loss.hidden = 0.0; });
  CHECK_FALSE(choice_of(alone).blockwise.has_value());
  CHECK_THAT(error_message([] {
               wide_experiment([](Recipe& recipe) {
                 recipe.loss.hidden = 0.0;
                 recipe.train.strategy = Strategy::kBlockwise;
               });
             }),
             Contains("train.strategy: expected auto or end_to_end, since loss.hidden"));
  CHECK_FALSE(with_strategy(alone.recipe, Strategy::kBlockwise).train.control);
  CHECK(with_strategy(alone.recipe, Strategy::kEndToEnd).train.control);
}
