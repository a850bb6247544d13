#include "data/samples/taught_samples.h"

#include "data/base/error.h"

namespace dualpath::data {

TaughtSamples::TaughtSamples(const Samples& samples, MediaReaders teacher)
    : samples_(samples), teacher_(std::move(teacher)) {
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const MediaFiles* files = samples.sample(i).files;
    if (files == nullptr) continue;
    try {
      require_taken(*files, teacher_);
    } catch (const Error& error) {
      throw Error("the teacher, sample {}: {}", i + 1, error.what());
    }
  }
}

Batch TaughtSamples::batch(std::span<const std::size_t> chosen) const {
  Batch batch = samples_.batch(chosen);
  std::vector<const MediaFiles*> files;
  for (const std::size_t number : chosen) {
    if (const MediaFiles* of_sample = samples_.sample(number).files) files.push_back(of_sample);
  }
  try {
    batch.taught = tower_batches(files, teacher_);
  } catch (const Error& error) {
    throw Error("as the teacher takes it: {}", error.what());
  }
  return batch;
}

}  // namespace dualpath::data
