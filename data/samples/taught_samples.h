#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "data/samples/samples.h"

namespace dualpath::data {

/// Samples whose batches hold their files twice: as the model takes them, and as its teacher does.
class TaughtSamples : public Samples {
 public:
  /// samples: with files, each of a kind that the teacher takes, too; else an Error that names the
  /// sample. They must outlive this.
  TaughtSamples(const Samples& samples, MediaReaders teacher);

  std::size_t size() const override { return samples_.size(); }
  std::int64_t targets(std::size_t sample) const override { return samples_.targets(sample); }
  Sample sample(std::size_t number) const override { return samples_.sample(number); }
  const MediaReaders* readers() const override { return samples_.readers(); }
  std::vector<SampleGroup> groups() const override { return samples_.groups(); }
  void update(Sha256& hash) const override { samples_.update(hash); }
  Batch batch(std::span<const std::size_t> chosen) const override;

 private:
  const Samples& samples_;
  MediaReaders teacher_;
};

}  // namespace dualpath::data
