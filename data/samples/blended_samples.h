#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "data/samples/samples.h"

namespace dualpath::data {

/// Samples of several sources one behind the other, each a group with a ratio of its own.
class BlendedSamples : public Samples {
 public:
  struct Source {
    std::unique_ptr<Samples> samples;
    std::int64_t ratio = 1;
  };

  /// At least one source; all of them windows, or all with the readers of one model.
  explicit BlendedSamples(std::vector<Source> sources);

  std::size_t size() const override { return begins_.back(); }
  std::int64_t targets(std::size_t sample) const override;
  Sample sample(std::size_t number) const override;
  const MediaReaders* readers() const override { return sources_.front().samples->readers(); }
  std::vector<SampleGroup> groups() const override;
  /// Adds the ratios, too: other ratios are another training.
  void update(Sha256& hash) const override;

 private:
  /// A source, and a sample's number in it.
  struct Place {
    const Samples& source;
    std::size_t number;
  };
  Place place(std::size_t sample) const;

  std::vector<Source> sources_;
  std::vector<std::size_t> begins_;  ///< each source's first sample, and the number of all
};

}  // namespace dualpath::data
