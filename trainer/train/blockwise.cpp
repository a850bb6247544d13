#include "trainer/train/blockwise.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "data/base/failpoint.h"
#include "data/process/interrupt.h"
#include "data/process/memory.h"
#include "data/process/progress.h"
#include "data/process/standard_streams.h"
#include "trainer/train/block_states.h"
#include "trainer/train/checkpoint.h"
#include "trainer/train/gradient_checkpointing.h"

namespace dualpath::trainer {
namespace {

namespace fs = std::filesystem;

class BlockwiseRun {
 public:
  BlockwiseRun(const TrainJob& job, const Recipe& recipe, const std::vector<Block>& blocks,
               const BatchSource& batches, const BlockPaths& paths)
      : job_(job),
        recipe_(recipe),
        blocks_(blocks),
        paths_(paths),
        passes_(recipe.train.max_steps * recipe.train.gradient_accumulation_steps),
        states_(batches, passes_, paths.reference.device()) {}

  std::vector<LoopResult> run() {
    std::vector<LoopResult> results;
    for (std::size_t i = 0; i < blocks_.size(); ++i)
      results.push_back(blocks_[i].groups.empty() ? LoopResult{} : train(i));
    return results;
  }

 private:
  std::string label(const char* work, std::size_t block) const {
    return fmt::format("{} block {}/{}", work, block + 1, blocks_.size());
  }

  LoopResult train(std::size_t i) {
    const Block& block = blocks_[i];
    const fs::path directory = block_directory(job_.directory, i);
    const Checkpoints checkpoints(directory, recipe_.train.save_total_limit, job_.processes);
    if (checkpoints.last_whole() < recipe_.train.max_steps) bring_states_to(i);
    PairedObjective paired(block.network, paths_.reference, paths_.corrected, recipe_.loss,
                           checkpointing_of(block.groups, recipe_.train.gradient_checkpointing),
                           chunk_rows(block.network.head, paths_.weights), job_.processes);
    BlockObjective objective(paired, states_);
    Optimizer optimizer(block.groups, recipe_.train, job_.processes);
    TrainJob job{.label = label(job_.label.c_str(), i),
                 .directory = directory,
                 .fingerprint = job_.fingerprint,
                 .processes = job_.processes,
                 .none_whole = NoneWhole::kBeginAnew};
    if (job_.events) job.events = *job_.events / fmt::format("block_{}", i);
    const auto batches = [&](std::int64_t pass) { return states_.batch(pass); };
    return train_loop(job, recipe_.train, batches, objective, optimizer);
  }

  /// Takes the states through all blocks before this one, which are trained. Until a block has
  /// steps to do, none are needed.
  void bring_states_to(std::size_t block) {
    for (; behind_ < block; ++behind_) {
      advance(behind_);
      paths_.reference.release();
      paths_.corrected.release();
      release_freed_memory();
    }
  }

  void advance(std::size_t i) {
    failpoint("blocks.advance");
    Progress progress(label("through", i), passes_, "batches");
    states_.advance(blocks_[i].network, paths_.reference, paths_.corrected, [&] {
      throw_if_interrupted();
      progress.advance(1, fmt::format("{:.1f} GB", static_cast<double>(resident_bytes()) / 1e9));
    });
  }

  const TrainJob& job_;
  const Recipe& recipe_;
  const std::vector<Block>& blocks_;
  BlockPaths paths_;
  std::int64_t passes_;
  BlockStates states_;
  std::size_t behind_ = 0;  ///< the blocks that the states are behind
};

/// Counts the blocks that have something to train and no checkpoint; the first process looks.
std::size_t count_untrained(const fs::path& run, const std::vector<Block>& blocks,
                            Processes& processes) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (!blocks[i].groups.empty() &&
        Checkpoints(block_directory(run, i), /*save_total_limit=*/1).steps().empty())
      ++count;
  }
  return std::stoull(processes.broadcast("blocks", std::to_string(count)));
}

}  // namespace

fs::path block_directory(const fs::path& run, std::size_t block) {
  return run / "blocks" / std::to_string(block);
}

std::vector<LoopResult> train_blockwise(const TrainJob& job, const Recipe& recipe,
                                        const std::vector<Block>& blocks,
                                        const BatchSource& batches, const BlockPaths& paths) {
  return BlockwiseRun(job, recipe, blocks, batches, paths).run();
}

std::int64_t load_blocks(const fs::path& run, const TrainOptions& options,
                         const std::vector<Block>& blocks, const std::string& fingerprint,
                         Processes& processes) {
  if (const std::size_t missing = count_untrained(run, blocks, processes); missing > 0) {
    if (processes.is_first())
      write_notice(fmt::format(
          "dualpath: {}: {} of {} blocks are not trained yet, so the others are not used either\n",
          run.string(), missing, blocks.size()));
    return 0;
  }
  std::int64_t fewest = std::numeric_limits<std::int64_t>::max();
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (blocks[i].groups.empty()) continue;
    Optimizer optimizer(blocks[i].groups, options, processes);
    const Checkpoints checkpoints(block_directory(run, i), options.save_total_limit, processes);
    fewest = std::min(fewest, checkpoints.load_last(optimizer, fingerprint));
  }
  return fewest;
}

}  // namespace dualpath::trainer
