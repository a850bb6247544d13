#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "data/files/checksum.h"
#include "data/samples/batch.h"
#include "data/text/windows.h"

namespace dualpath::data {

/// Numbered samples that batches are made of. A model is trained, calibrated and measured on them.
class Samples {
 public:
  virtual ~Samples() = default;
  virtual std::size_t size() const = 0;
  /// Counts the targets of one sample; at least 1.
  virtual std::int64_t targets(std::size_t sample) const = 0;
  /// Makes a batch of the named samples in the order given, on the CPU. At least one sample. May be
  /// called from several threads at once.
  virtual Batch batch(std::span<const std::size_t> chosen) const = 0;
  /// Adds the content of all samples to the hash.
  virtual void update(Sha256& hash) const = 0;
};

/// Windows over a stream of text.
class WindowSamples : public Samples {
 public:
  explicit WindowSamples(Windows windows) : windows_(std::move(windows)) {}
  std::size_t size() const override { return windows_.size(); }
  std::int64_t targets(std::size_t sample) const override {
    return count_targets(windows_[sample]);
  }
  Batch batch(std::span<const std::size_t> chosen) const override {
    return make_batch(windows_, chosen);
  }
  void update(Sha256& hash) const override {
    for (std::size_t i = 0; i < windows_.size(); ++i) hash.update(std::as_bytes(windows_[i].ids));
    for (std::size_t i = 0; i < windows_.size(); ++i)
      hash.update(std::as_bytes(windows_[i].targets));
  }

 private:
  Windows windows_;
};

}  // namespace dualpath::data
