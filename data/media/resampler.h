#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

struct soxr;

namespace dualpath::data {

/// Resamples mono samples from one rate to another, block by block, at soxr's high quality (20
/// bits). With equal rates they stay unchanged.
///   Resampler resampler(44100, 16000);
///   for (…) resampler.push(block, samples);
///   resampler.finish(samples);
class Resampler {
 public:
  /// Rates in Hz, positive.
  Resampler(int from, int to);

  /// Appends the samples that are ready to `out`; the filter holds some back.
  void push(std::span<const float> block, std::vector<float>& out);
  /// Appends the rest. n samples in all give n * to / from, rounded.
  void finish(std::vector<float>& out);

 private:
  /// Passes `count` samples to soxr, none at the end. Returns how many soxr took.
  std::size_t process(const float* in, std::size_t count, std::vector<float>& out);

  std::unique_ptr<soxr, void (*)(soxr*)> soxr_;  // none where the rates are equal
};

}  // namespace dualpath::data
