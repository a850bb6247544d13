#include "trainer/predict/memory_advice.h"

#include <sys/resource.h>
#include <torch/torch.h>

#include <algorithm>
#include <fstream>
#include <new>
#include <set>
#include <string>

#include "tests/support/catch.h"
#include "tests/support/child_process.h"
#include "tests/support/error_message.h"
#include "tests/support/sanitizer.h"
#include "tests/trainer/tiny_experiment.h"
#include "trainer/predict/config_prediction.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;
using Catch::StartsWith;

namespace {

/// Lets this process have so many bytes more than it has mapped.
void limit_memory(std::uint64_t more) {
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlim_t bytes = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) + more;
  const rlimit limit{bytes, bytes};
  if (::setrlimit(RLIMIT_AS, &limit) != 0) throw Error("cannot limit memory");
}

}  // namespace

TEST_CASE("a run out of memory is told what to lower and by how much", "[trainer][predict]") {
  const Experiment experiment = tiny_experiment([](Recipe& recipe) {
    recipe.train.per_device_train_batch_size = 64;
    recipe.train.learning_rate.weights = 1e-5;
  });
  if (kAddressSanitizer) {
    WARN("SKIP: the address sanitizer ends a program that runs out of memory");
    return;
  }
  const ChildEnd end = in_child([&] {
    at::set_num_threads(1);  // OpenMP's threads do not come along
    limit_memory(64 << 20);
    const std::string message = error_message(
        [&] { with_memory_advice(experiment, [] { return torch::zeros({1 << 28}).sum(); }); });
    std::printf("%s\n", message.c_str());
    const bool says = message.starts_with(
                          "out of memory: 1073741824 bytes more were asked for; "
                          "training takes at least ") &&
                      message.find("train.gradient_checkpointing=true (about ") != message.npos &&
                      message.find(
                          "train.per_device_train_batch_size=32 with "
                          "gradient_accumulation_steps=2 (about ") != message.npos &&
                      message.find("train.learning_rate.weights=0 (about ") != message.npos;
    return says ? 0 : 1;
  });
  CHECK(end.code == 0);
}

TEST_CASE("a change saves what the plan says of both recipes, the most helpful first",
          "[trainer][predict]") {
  const Experiment experiment =
      tiny_experiment([](Recipe& recipe) { recipe.train.per_device_train_batch_size = 256; });
  const auto savings = memory_savings(experiment.recipe, experiment.model, experiment.plan);
  REQUIRE_FALSE(savings.empty());
  CHECK(std::ranges::is_sorted(savings, std::greater(), &MemorySaving::bytes));
  Recipe half = experiment.recipe;
  half.train.per_device_train_batch_size = 128;
  const auto of = [&](const Recipe& recipe) {
    return training_bytes(recipe, experiment.model, experiment.plan);
  };
  const auto found = std::ranges::find_if(savings, [](const MemorySaving& saving) {
    return saving.change.starts_with("train.per_device_train_batch_size=128 ");
  });
  REQUIRE(found != savings.end());
  CHECK(found->bytes == Approx(of(experiment.recipe) - of(half)));
  CHECK(found->bytes > 0.0);
}

TEST_CASE("several processes are told of an optimizer that they can divide", "[trainer][predict]") {
  const Experiment experiment = tiny_experiment([](Recipe& recipe) {
    recipe.train.per_device_train_batch_size = 3;
    recipe.train.learning_rate = {.corrections = 0.0, .weights = 1e-5};
  });
  const auto changes = [&](int processes) {
    std::set<std::string> words;
    for (const MemorySaving& saving :
         memory_savings(experiment.recipe, experiment.model, experiment.plan, processes))
      words.insert(saving.change.substr(0, saving.change.find('=')));
    return words;
  };
  CHECK(changes(4).contains("train.shard_optimizer"));
  CHECK_FALSE(changes(1).contains("train.shard_optimizer"));
  // Half of three is no batch, and without weights nothing would be trained.
  CHECK_FALSE(changes(4).contains("train.per_device_train_batch_size"));
  CHECK_FALSE(changes(4).contains("train.learning_rate.weights"));
}

TEST_CASE("other failures pass without advice", "[trainer][predict]") {
  const Experiment experiment = tiny_experiment();
  const auto message = [&](const auto& fail) {
    return error_message([&] {
      with_memory_advice(experiment, [&] {
        fail();
        return 0;
      });
    });
  };
  CHECK(message([] { throw Error("the disk is full"); }) == "the disk is full");
  CHECK_THROWS_WITH(message([] { TORCH_CHECK(false, "shapes differ"); }),
                    StartsWith("shapes differ"));
  CHECK_THAT(message([] { throw std::bad_alloc(); }),
             StartsWith("out of memory; training takes at least "));
}
