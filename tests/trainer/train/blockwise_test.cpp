#include "trainer/train/blockwise.h"

#include <torch/torch.h>

#include <algorithm>

#include "data/base/error.h"
#include "modules/network/batch_state.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/temporary_directory.h"
#include "tests/trainer/tiny_experiment.h"
#include "trainer/train/block_states.h"
#include "trainer/train/gradient_checkpointing.h"
#include "trainer/train/step_batches.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;
using torch::Tensor;

namespace {

/// Both paths of the tiny model, to be trained for 4 steps of 2 passes.
struct Run {
  explicit Run(std::int64_t block_size) {
    experiment.recipe.train.block_size = block_size;
    blocks = blocks_of(experiment.model.network, path.trainables.groups, block_size);
  }

  BatchSource source() {
    return [this](std::int64_t pass) { return batches.batch(pass); };
  }
  TrainJob job() const { return {"train", folder / "run", "fingerprint"}; }

  std::vector<LoopResult> train_blocks() {
    return train_blockwise(job(), experiment.recipe, blocks, source(),
                           {reference.executor, path.corrected, *path.trainables.weights});
  }
  LoopResult train_end_to_end() {
    PairedObjective objective(experiment.model.network, reference.executor, path.corrected,
                              experiment.recipe.loss);
    Optimizer optimizer(path.trainables.groups, experiment.recipe.train);
    return train_loop(job(), experiment.recipe.train, source(), objective, optimizer);
  }

  /// All that is trained, by name.
  modules::NamedTensors trained() const {
    modules::NamedTensors all;
    for (const ParameterGroup& group : path.trainables.groups) {
      for (const auto& [name, tensor] : group.parameters) all[name] = tensor.detach().clone();
    }
    return all;
  }

  Experiment experiment = tiny_experiment([](Recipe& recipe) {
    recipe.train.learning_rate = {
        .corrections = 1e-2, .activation_scales = 1e-2, .norm_weights = 1e-3, .weights = 1e-4};
    recipe.train.max_steps = 4;
    recipe.train.per_device_train_batch_size = 1;
    recipe.train.gradient_accumulation_steps = 2;
    recipe.train.save_steps = 2;
    recipe.loss = {.kl = 1.0, .ce = 0.2, .hidden = 2.0};
  });
  TemporaryDirectory folder;
  data::WindowSamples samples = made_windows(5, 16, /*rest=*/5);
  StepBatches batches{samples, experiment.recipe.train, /*seed=*/3, Processes::alone()};
  ControlPath reference{experiment};
  QuantizedPath path{experiment, calibrated(experiment), reference.executor};
  std::vector<Block> blocks;
};

bool same(const modules::NamedTensors& a, const modules::NamedTensors& b) {
  return a.size() == b.size() && std::ranges::all_of(a, [&](const auto& entry) {
           return b.at(entry.first).equal(entry.second);
         });
}

constexpr std::int64_t kAllStages = 100;

}  // namespace

TEST_CASE("one block of all stages is trained as end to end, to the bit", "[trainer][blockwise]") {
  Run whole(kAllStages), end_to_end(kAllStages);
  REQUIRE(whole.blocks.size() == 1);
  const LoopResult in_block = whole.train_blocks().front(), at_once = end_to_end.train_end_to_end();
  CHECK(in_block.last.loss == at_once.last.loss);
  CHECK(same(whole.trained(), end_to_end.trained()));
}

TEST_CASE("each block learns from what the trained blocks before it make", "[trainer][blockwise]") {
  Run run(1);
  const std::size_t count = run.blocks.size();
  REQUIRE(count > 2);
  const modules::NamedTensors before = run.trained();
  const std::vector<LoopResult> results = run.train_blocks();
  REQUIRE(results.size() == count);
  for (std::size_t i = 0; i < count; ++i) {
    CHECK(results[i].steps == 4);
    const bool has_head = i + 1 == count;
    CHECK((results[i].last.kl.value() > 0.0) == has_head);
    CHECK(std::filesystem::exists(block_directory(run.folder / "run", i) / "checkpoint-4"));
  }
  for (const auto& [name, tensor] : run.trained()) {
    INFO(name);
    CHECK_FALSE(tensor.equal(before.at(name)));
  }

  // The second block's start is what the whole path has behind the first one.
  BlockStates states(run.source(), 8, at::kCPU);
  int done = 0;
  states.advance(run.blocks[0].network, run.reference.executor, run.path.corrected,
                 [&] { ++done; });
  CHECK(done == 8);
  const data::Batch batch = run.batches.batch(5);
  const GlobalCount unused;
  const torch::NoGradGuard no_grad;
  modules::State fp = modules::make_state(batch, at::kCPU), made = fp;
  modules::run(run.blocks[0].network, run.reference.executor, fp);
  modules::run(run.blocks[0].network, run.path.corrected, made);
  const quant::PairedStates kept = states.of({states.batch(5), unused, 5});
  CHECK(kept.reference.hidden.equal(fp.hidden));
  CHECK(kept.quantized.hidden.equal(made.hidden));
  CHECK_FALSE(kept.quantized.hidden.equal(kept.reference.hidden));
  CHECK(kept.quantized.rotation.cos.is_same(kept.reference.rotation.cos));
  std::int64_t tokens = 0;
  for (std::int64_t pass = 0; pass < 8; ++pass) tokens += run.batches.batch(pass).ids.numel();
  CHECK(states.bytes() == 2 * 4 * tokens * run.experiment.model.config.hidden_size);
}

TEST_CASE("a blockwise run that stopped goes on to the same numbers", "[trainer][blockwise]") {
  Run whole(1), stopped(1);
  whole.train_blocks();
  // The run ends in the third block's second step, before that is saved.
  const Tensor watched = stopped.blocks[2].groups.front().parameters.begin()->second;
  int passes = 0;
  const BatchSource source = stopped.source();
  watched.register_hook([&](const Tensor& gradient) {
    if (++passes == 4) throw Error("stopped");
    return gradient;
  });
  CHECK_THROWS(stopped.train_blocks());
  Run unfinished(1);
  const modules::NamedTensors untrained = unfinished.trained();
  CHECK(load_blocks(stopped.folder / "run", unfinished.experiment.recipe.train, unfinished.blocks,
                    "fingerprint", Processes::alone()) == 0);
  CHECK(same(unfinished.trained(), untrained));
  Run resumed(1);
  std::filesystem::copy(stopped.folder / "run", resumed.folder / "run",
                        std::filesystem::copy_options::recursive);
  const std::vector<LoopResult> results = resumed.train_blocks();
  CHECK(results[0].resumed == 4);
  CHECK(results[1].resumed == 4);
  CHECK(results[2].resumed == 0);
  CHECK(same(resumed.trained(), whole.trained()));

  // What was trained is found again without training.
  Run loaded(1);
  CHECK(load_blocks(resumed.folder / "run", loaded.experiment.recipe.train, loaded.blocks,
                    "fingerprint", Processes::alone()) == 4);
  CHECK(same(loaded.trained(), whole.trained()));
  CHECK_THROWS_AS(load_blocks(resumed.folder / "run", loaded.experiment.recipe.train, loaded.blocks,
                              "another", Processes::alone()),
                  Error);
}
