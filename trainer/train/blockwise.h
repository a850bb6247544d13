#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "modules/network/executor.h"
#include "modules/weights/weight_store.h"
#include "trainer/recipe/options.h"
#include "trainer/train/blocks.h"
#include "trainer/train/train_loop.h"

namespace dualpath::trainer {

/// The paths that a blockwise run trains on, and the weights that the second one reads.
struct BlockPaths {
  modules::Executor& reference;
  modules::Executor& corrected;
  const modules::WeightStore& weights;
};

/// The folder of a block's checkpoints and log: "<run>/blocks/<number>", from 0 on.
std::filesystem::path block_directory(const std::filesystem::path& run, std::size_t block);

/// Trains block after block, each for max_steps on the same batches, before the next one begins: in
/// memory are one block's weights and the states between blocks of all passes (BlockStates), as in
/// EfficientQAT's Block-AP (arXiv 2407.11062). A block's targets are the reference's states. Its
/// inputs are what the trained blocks before it make, so errors add up as they will in deployment.
/// Each minimizes its stages' hidden distance, the last one the head's losses, too. A stopped run
/// loads the blocks that are done and takes the states through them again, to the same bits. A
/// block without anything to train is passed. job: the run's; each block has a folder and a label
/// of its own. Returns one result a block, in order.
std::vector<LoopResult> train_blockwise(const TrainJob& job, const Recipe& recipe,
                                        const std::vector<Block>& blocks,
                                        const BatchSource& batches, const BlockPaths& paths);

/// Loads what each block's newest checkpoint holds. Returns the steps behind all blocks: the fewest
/// of any. If a block has none yet, nothing is loaded, which a line on stderr tells, and 0
/// returned.
std::int64_t load_blocks(const std::filesystem::path& run, const TrainOptions& options,
                         const std::vector<Block>& blocks, const std::string& fingerprint,
                         Processes& processes);

}  // namespace dualpath::trainer
