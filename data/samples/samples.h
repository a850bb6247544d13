#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "data/files/checksum.h"
#include "data/samples/batch.h"
#include "data/samples/media_text.h"
#include "data/text/windows.h"

namespace dualpath::data {

/// The tokens of a sample, and the files of its placeholders. Views, valid while the Samples live.
struct Sample {
  TokenSpan tokens;
  const MediaFiles* files = nullptr;  ///< null in samples that have none
};

/// Neighbouring samples that training draws from together. ratio: how many, for so many of others.
struct SampleGroup {
  std::size_t size = 0;
  std::int64_t ratio = 1;
};

/// Numbered samples that batches are made of. A model is trained, calibrated and measured on them.
class Samples {
 public:
  virtual ~Samples() = default;
  virtual std::size_t size() const = 0;
  /// Counts the targets of one sample; at least 1.
  virtual std::int64_t targets(std::size_t sample) const = 0;
  virtual Sample sample(std::size_t number) const = 0;
  /// The readers of the samples' files; null if samples have none.
  virtual const MediaReaders* readers() const { return nullptr; }
  /// The groups of samples in their order; all are one group unless sources are blended.
  virtual std::vector<SampleGroup> groups() const { return {{size(), 1}}; }
  /// Adds the content of all samples to the hash.
  virtual void update(Sha256& hash) const = 0;

  /// Makes a batch of the named samples in the order given, on the CPU. At least one sample. May be
  /// called from several threads at once.
  virtual Batch batch(std::span<const std::size_t> chosen) const;
};

/// Windows over a stream of text.
class WindowSamples : public Samples {
 public:
  explicit WindowSamples(Windows windows) : windows_(std::move(windows)) {}
  std::size_t size() const override { return windows_.size(); }
  std::int64_t targets(std::size_t sample) const override {
    return count_targets(windows_[sample]);
  }
  Sample sample(std::size_t number) const override { return {windows_[number]}; }
  void update(Sha256& hash) const override;

 private:
  Windows windows_;
};

}  // namespace dualpath::data
