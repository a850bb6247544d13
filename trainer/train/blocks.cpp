#include "trainer/train/blocks.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <string_view>

#include "data/base/error.h"

namespace dualpath::trainer {
namespace {

using modules::Network;
using modules::Stage;

std::ptrdiff_t correctable(const std::vector<Stage>& stages) {
  return std::ranges::count_if(stages, &Stage::correctable);
}

std::vector<std::vector<Stage>> cut(const std::vector<Stage>& stages, std::int64_t size) {
  std::vector<std::vector<Stage>> blocks(1);
  for (const Stage& stage : stages) {
    if (correctable(blocks.back()) == size) blocks.emplace_back();
    blocks.back().push_back(stage);
  }
  if (blocks.size() > 1 && correctable(blocks.back()) == 0) {
    const std::vector<Stage> rest = std::move(blocks.back());
    blocks.pop_back();
    blocks.back().insert(blocks.back().end(), rest.begin(), rest.end());
  }
  return blocks;
}

/// Finds the block of each module path.
class Places {
 public:
  explicit Places(const std::vector<Block>& blocks) {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      for (const Stage& stage : blocks[i].network.stages) block_of_[stage.name] = i;
      if (const modules::Head& head = blocks[i].network.head; head.exists())
        block_of_.try_emplace(head.ref.name, i);
    }
  }

  std::size_t of(const std::string& path) const {
    for (std::size_t end = path.rfind('.'); end != path.npos && end > 0;
         end = path.rfind('.', end - 1)) {
      const auto found = block_of_.find(std::string_view(path).substr(0, end));
      if (found != block_of_.end()) return found->second;
    }
    throw Error("train.strategy: {} is trained and belongs to no stage", path);
  }

 private:
  std::map<std::string, std::size_t, std::less<>> block_of_;
};

}  // namespace

std::string Block::name() const {
  std::vector<std::string> names;
  for (const Stage& stage : network.stages) {
    if (stage.correctable) names.push_back(stage.name);
  }
  if (names.empty()) return network.stages.front().name;
  return names.size() == 1 ? names.front() : fmt::format("{} to {}", names.front(), names.back());
}

std::vector<Block> blocks_of(const Network& network, const std::vector<ParameterGroup>& groups,
                             std::int64_t size) {
  std::vector<Block> blocks;
  for (std::vector<Stage>& stages : cut(network.stages, size)) {
    Block& block = blocks.emplace_back();
    block.network.stages = std::move(stages);
    block.network.tower_samples = network.tower_samples;
  }
  blocks.back().network.head = network.head;
  const Places places(blocks);
  for (const ParameterGroup& group : groups) {
    std::map<std::size_t, ParameterGroup> parts;
    for (const auto& [name, tensor] : group.parameters) {
      const std::size_t block = places.of(name.substr(name.find('.') + 1));
      const auto [part, is_new] =
          parts.try_emplace(block, ParameterGroup{{}, group.learning_rate, group.weight_decay});
      part->second.parameters[name] = tensor;
    }
    for (auto& [block, part] : parts) blocks[block].groups.push_back(std::move(part));
  }
  return blocks;
}

}  // namespace dualpath::trainer
