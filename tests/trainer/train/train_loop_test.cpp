#include "trainer/train/train_loop.h"

#include <torch/torch.h>

#include <csignal>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "data/base/error.h"
#include "data/files/file.h"
#include "data/process/interrupt.h"
#include "tests/support/catch.h"
#include "tests/support/child_process.h"
#include "tests/support/error_message.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/two_processes.h"
#include "tests/trainer/tiny_experiment.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;

namespace {

/// Pulls a number towards the sum of the ids it sees; fails at the batch `wrong_at`.
class Pull : public Objective {
 public:
  explicit Pull(torch::Tensor number) : number_(std::move(number)) {}

  UnreadLosses run(const Pass& pass) override {
    const auto& [batch, count, number, before_backward] = pass;
    passes.push_back(number);
    counts.push_back(count);
    see(batch);
    if (before_backward) before_backward();
    const double ids = batch.ids.sum().item<double>();
    const torch::Tensor loss = (number_ - ids).square().sum() / static_cast<double>(count.tokens);
    loss.backward();
    const bool wrong = ++batches_ == wrong_at;
    if (wrong && throws) throw Error("model.layers.1.input: 3 of 8 values are not finite");
    constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
    return {.weights = {.kl = 0.0, .ce = 1.0, .hidden = 0.0},
            .stages = {"model.layers.2"},
            .distances = torch::full({1}, wrong ? kNaN : 0.0),
            .ce = loss.detach().nan_to_num().to(
                torch::kDouble)};  // a gradient may be all that is wrong
  }

  std::vector<GlobalCount> counts;
  std::vector<std::int64_t> passes;
  std::function<void(const data::Batch&)> see = [](const data::Batch&) {};
  int wrong_at = 0;
  bool throws = false;

 private:
  torch::Tensor number_;
  int batches_ = 0;
};

/// A run of 6 steps with a checkpoint every second one.
struct Run {
  LoopResult go() {
    Pull objective(number);
    change(objective);
    Optimizer optimizer({{{{"number", number}}, 0.1, 0.0}}, options);
    const LoopResult result =
        train_loop({.label = "train",
                    .directory = folder / "run",
                    .fingerprint = "fingerprint",
                    .processes = *processes},
                   options, /*seed=*/4, made_windows(5, 8, /*rest=*/2), objective, optimizer);
    counts = objective.counts;
    return result;
  }

  TemporaryDirectory folder;
  torch::Tensor number = torch::zeros({1}).requires_grad_();
  TrainOptions options = [] {
    TrainOptions o;
    o.max_steps = 6;
    o.per_device_train_batch_size = 1;
    o.save_steps = 2;
    o.logging_steps = 4;
    return o;
  }();
  Processes* processes = &Processes::alone();
  std::function<void(Pull&)> change = [](Pull&) {};
  std::vector<GlobalCount> counts;
};

std::vector<std::int64_t> logged_steps(const Run& run) {
  std::istringstream log(read_file(run.folder / "run/log.jsonl"));
  std::vector<std::int64_t> steps;
  for (std::string line; std::getline(log, line);) {
    steps.push_back(nlohmann::json::parse(line)["step"]);
  }
  return steps;
}

}  // namespace

TEST_CASE("a run saves and logs on its way and at its end", "[trainer][loop]") {
  Run run;
  const LoopResult result = run.go();
  CHECK(result.steps == 6);
  CHECK(result.resumed == 0);
  CHECK(logged_steps(run) == std::vector<std::int64_t>{4, 6});
  CHECK(result.last.step == 6);
  CHECK(std::filesystem::exists(run.folder / "run/checkpoint-4"));
  CHECK(std::filesystem::exists(run.folder / "run/checkpoint-6"));
}

TEST_CASE("batches of one step are divided by the count over all of them", "[trainer][loop]") {
  Run run;
  run.options.gradient_accumulation_steps = 6;  // a whole epoch: 5 windows of 8 and one of 2
  run.options.max_steps = 1;
  run.go();
  REQUIRE(run.counts.size() == 6);
  for (const GlobalCount& count : run.counts) {
    CHECK(count.tokens == 5 * 8 + 2);
    CHECK(count.targets == 5 * 7 + 1);
  }
}

TEST_CASE("a step's samples are dealt out by length, the longest first", "[trainer][loop]") {
  Run run;
  run.options.per_device_train_batch_size = 2;
  run.options.gradient_accumulation_steps = 3;  // a whole epoch
  std::vector<std::int64_t> shortest;
  run.change = [&](Pull& pull) {
    pull.see = [&](const data::Batch& batch) {
      shortest.push_back(batch.mask.sum(1).min().item<std::int64_t>());
    };
  };
  run.go();
  REQUIRE(shortest.size() == 18);
  for (std::size_t i = 0; i < shortest.size(); ++i) CHECK(shortest[i] == (i % 3 == 2 ? 2 : 8));
}

TEST_CASE("a run that stopped goes on from its last checkpoint to the same number",
          "[trainer][loop]") {
  Run whole, stopped;
  whole.go();
  stopped.change = [](Pull& pull) { pull.wrong_at = 6; };
  CHECK_THROWS_AS(stopped.go(), Error);
  stopped.change = [](Pull&) {};
  {
    const torch::NoGradGuard no_grad;
    stopped.number.fill_(99);
  }
  const LoopResult result = stopped.go();
  CHECK(result.resumed == 4);
  CHECK(stopped.number.equal(whole.number));
  CHECK(logged_steps(stopped) == logged_steps(whole));
}

TEST_CASE("a finished run has nothing to do but knows its last losses", "[trainer][loop]") {
  Run run;
  const LoopResult first = run.go(), second = run.go();
  CHECK(second.resumed == 6);
  CHECK(run.counts.empty());
  CHECK(second.last == first.last);
}

TEST_CASE("what is not finite stops the run with its step, its place and the last good checkpoint",
          "[trainer][loop]") {
  Run run;
  const std::string checkpoint = (run.folder / "run/checkpoint-2").string();
  SECTION("a loss, by its stage") {
    run.change = [](Pull& pull) { pull.wrong_at = 4; };
    CHECK(error_message([&] { run.go(); }) ==
          "train: step 4: the loss is not finite, first at model.layers.2; last good checkpoint: " +
              checkpoint);
  }
  SECTION("an activation, by its site") {
    run.change = [](Pull& pull) {
      pull.wrong_at = 4;
      pull.throws = true;
    };
    CHECK(error_message([&] { run.go(); }) ==
          "train: step 4: model.layers.1.input: 3 of 8 values are not finite; last good "
          "checkpoint: " +
              checkpoint);
  }
  SECTION("a gradient, before there is any checkpoint") {
    const torch::NoGradGuard no_grad;
    run.number.fill_(INFINITY);
    CHECK(error_message([&] {
            const torch::AutoGradMode with_grad(true);
            run.go();
          }) == "train: step 1: the gradient is not finite; last good checkpoint: none");
  }
}

TEST_CASE("an interrupted run finishes its step, saves it and says so", "[trainer][loop]") {
  Run run;
  const ChildEnd end = in_child([&] {  // the flag stays set in a process
    install_interrupt_handlers();
    std::raise(SIGINT);
    try {
      run.go();
    } catch (const Interrupted& interrupted) {
      return interrupted.what() ==
                     "train: interrupted after step 1 of 6; the same command goes on "
                     "from " +
                         (run.folder / "run/checkpoint-1").string()
                 ? 0
                 : 1;
    }
    return 2;
  });
  CHECK(end.code == 0);
  CHECK(run.go().resumed == 1);
}

TEST_CASE("what one of two processes meets stops both at that step", "[trainer][loop][processes]") {
  const bool throws = GENERATE(false, true);
  const TemporaryDirectory folder;
  const std::string expected = std::string("train: step 4: process 1: ") +
                               (throws ? "model.layers.1.input: 3 of 8 values are not finite"
                                       : "the loss is not finite, first at model.layers.2") +
                               "; last good checkpoint: ";
  const TwoEnds ends = in_two_processes([&](Processes& processes) {
    Run run;
    run.processes = &processes;
    if (!processes.is_first()) {
      run.change = [&](Pull& pull) {
        pull.wrong_at = 4;
        pull.throws = throws;
      };
    }
    return error_message([&] { run.go(); }).starts_with(expected) ? 0 : 1;
  });
  CHECK(ends.first.code == 0);
  CHECK(ends.second.code == 0);
}

TEST_CASE("two processes at a batch of one step as one at a batch of two",
          "[trainer][loop][processes]") {
  Run one;
  one.options.per_device_train_batch_size = 2;
  one.go();
  const auto expected = one.number.item<float>();
  const TwoEnds ends = in_two_processes([&](Processes& processes) {
    Run run;
    run.processes = &processes;
    run.go();
    return std::abs(run.number.item<float>() - expected) < 1e-5f ? 0 : 1;
  });
  CHECK(ends.first.code == 0);
  CHECK(ends.second.code == 0);
}
