#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "modules/network/network.h"
#include "trainer/train/optimizer.h"

namespace dualpath::trainer {

/// Neighbouring stages that are trained by themselves, and what is trained in them.
struct Block {
  modules::Network network;  ///< only the last block's has the head
  std::vector<ParameterGroup> groups;

  std::string name() const;  ///< "model.layers.4", or "model.layers.4 to model.layers.7"
};

/// Cuts a network behind every `size` correctable stages. Stages without a correction belong to the
/// block that follows, those at the end to the last. groups: all that is trained, by names as in
/// Trainables; a tensor belongs to the stage below whose name its own lies, the head's to the last
/// block. A tensor of no stage is an Error naming it.
std::vector<Block> blocks_of(const modules::Network& network,
                             const std::vector<ParameterGroup>& groups, std::int64_t size);

}  // namespace dualpath::trainer
