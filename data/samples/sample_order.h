#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "data/samples/samples.h"
#include "data/text/windows.h"

namespace dualpath::data {

/// The order in which samples are trained on. Groups take turns by their ratios: of as many samples
/// in a row as the ratios sum to, exactly `ratio` are each group's, spread evenly. Within a group
/// every epoch visits each sample once, in an order of its own. All of it is a pure function of
/// seed and step, so that a resumed run needs no state, and N processes see what one sees.
class SampleOrder {
 public:
  /// groups: neighbours, from sample 0 on; at least one, none of them empty.
  SampleOrder(const std::vector<SampleGroup>& groups, std::uint64_t seed);

  /// The samples of one step.
  std::vector<std::size_t> batch(std::int64_t step, std::int64_t batch_size) const;

 private:
  struct Group {
    std::size_t first;  ///< its first sample
    std::int64_t ratio;
    WindowOrder order;
  };
  /// A place among as many samples as the ratios sum to.
  struct Turn {
    std::size_t group;
    std::int64_t before;  ///< how many of these places before it are the group's
  };

  std::size_t at(std::int64_t position) const;

  std::vector<Group> groups_;
  std::vector<Turn> turns_;
};

}  // namespace dualpath::data
