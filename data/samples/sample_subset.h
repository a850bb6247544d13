#pragma once

#include <utility>
#include <vector>

#include "data/samples/samples.h"

namespace dualpath::data {

/// Some of the samples of others, which must outlive it.
class SampleSubset : public Samples {
 public:
  SampleSubset(const Samples& whole, std::vector<std::size_t> numbers)
      : whole_(whole), numbers_(std::move(numbers)) {}

  std::size_t size() const override { return numbers_.size(); }
  std::int64_t targets(std::size_t sample) const override {
    return whole_.targets(numbers_[sample]);
  }
  Sample sample(std::size_t number) const override { return whole_.sample(numbers_[number]); }
  const MediaReaders* readers() const override { return whole_.readers(); }
  /// Adds the content of all samples, and which of them are chosen.
  void update(Sha256& hash) const override;

 private:
  const Samples& whole_;
  std::vector<std::size_t> numbers_;
};

}  // namespace dualpath::data
