#include "data/samples/sample_order.h"

#include <numeric>

#include "data/base/error.h"
#include "data/base/generator.h"

namespace dualpath::data {

SampleOrder::SampleOrder(const std::vector<SampleGroup>& groups, std::uint64_t seed) {
  std::size_t first = 0;
  std::int64_t divisor = 0, all = 0;
  for (const SampleGroup& group : groups) divisor = std::gcd(divisor, group.ratio);
  for (const SampleGroup& group : groups) {
    // A group alone, or the first, has the order that it had without the others.
    const std::uint64_t own =
        groups_.empty() ? seed : Generator::derived(seed, groups_.size()).next();
    groups_.push_back({first, group.ratio / divisor, WindowOrder(group.size, own)});
    all += groups_.back().ratio;
    first += group.size;
  }
  std::vector<std::int64_t> taken(groups_.size(), 0);
  for (std::int64_t turn = 1; turn <= all; ++turn) {
    std::size_t next = 0;
    const auto behind = [&](std::size_t g) { return groups_[g].ratio * turn - taken[g] * all; };
    for (std::size_t g = 1; g < groups_.size(); ++g)
      if (behind(g) > behind(next)) next = g;
    turns_.push_back({next, taken[next]++});
  }
}

std::vector<std::size_t> SampleOrder::batch(std::int64_t step, std::int64_t batch_size) const {
  if (groups_.size() == 1) return groups_.front().order.batch(step, batch_size);
  std::vector<std::size_t> samples;
  for (std::int64_t i = 0; i < batch_size; ++i) samples.push_back(at(step * batch_size + i));
  return samples;
}

std::size_t SampleOrder::at(std::int64_t position) const {
  const std::int64_t period = std::ssize(turns_);
  const auto& [number, before] = turns_[static_cast<std::size_t>(position % period)];
  const Group& group = groups_[number];
  const std::int64_t in_group = position / period * group.ratio + before;
  return group.first + group.order.batch(in_group, 1).front();
}

}  // namespace dualpath::data
