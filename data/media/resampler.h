#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

struct soxr;

namespace dualpath::data {

/// Mono samples of one rate to another, block by block, at soxr's high quality (20 bits). Equal
/// rates leave them as they are.
///   Resampler resampler(44100, 16000);
///   for (…) resampler.push(block, samples);
///   resampler.finish(samples);
class Resampler {
 public:
  /// Rates in Hz, positive.
  Resampler(int from, int to);

  /// Appends to out what is ready; the filter holds some back.
  void push(std::span<const float> block, std::vector<float>& out);
  /// Appends the rest: of n samples in all there are n * to / from then, rounded.
  void finish(std::vector<float>& out);

 private:
  /// in: count samples; none at the end. Returns how many it took.
  std::size_t process(const float* in, std::size_t count, std::vector<float>& out);

  std::unique_ptr<soxr, void (*)(soxr*)> soxr_;  // none where the rates are equal
};

}  // namespace dualpath::data
