#include "data/samples/mel_filters.h"

#include <ATen/ATen.h>

#include <cmath>

namespace dualpath::data {
namespace {

using at::Tensor;

/// A mel is 200 / 3 Hz up to 1 kHz; from there 27 of them are a factor of 6.4.
constexpr double kSlaneyHzPerMel = 200.0 / 3.0;
constexpr double kSlaneyBreakHz = 1000.0;
constexpr double kSlaneyBreakMel = kSlaneyBreakHz / kSlaneyHzPerMel;
const double kSlaneyLogStep = std::log(6.4) / 27.0;

double hz_to_mel(double hz, MelScale scale) {
  if (scale == MelScale::kHtk) return 2595.0 * std::log10(1.0 + hz / 700.0);
  if (hz < kSlaneyBreakHz) return hz / kSlaneyHzPerMel;
  return kSlaneyBreakMel + std::log(hz / kSlaneyBreakHz) / kSlaneyLogStep;
}

Tensor mel_to_hz(const Tensor& mel, MelScale scale) {
  if (scale == MelScale::kHtk) return 700.0 * (at::pow(10.0, mel / 2595.0) - 1.0);
  const Tensor above = kSlaneyBreakHz * at::exp(kSlaneyLogStep * (mel - kSlaneyBreakMel));
  return at::where(mel < kSlaneyBreakMel, mel * kSlaneyHzPerMel, above);
}

}  // namespace

Tensor MelFilters::weights() const {
  const double highest = static_cast<double>(sampling_rate) / 2.0;
  const Tensor frequencies = at::linspace(0.0, highest, bins, at::kDouble);
  const Tensor corners = mel_to_hz(
      at::linspace(0.0, hz_to_mel(highest, mel_scale), feature_size + 2, at::kDouble), mel_scale);
  const auto corner = [&](std::int64_t first) {  // -> [feature_size, 1]
    return corners.narrow(0, first, feature_size).unsqueeze(1);
  };
  const Tensor left = corner(0), peak = corner(1), right = corner(2);
  const Tensor rising = (frequencies - left) / (peak - left);
  const Tensor falling = (right - frequencies) / (right - peak);
  Tensor triangles = at::minimum(rising, falling).clamp_min(0.0);
  if (norm == MelNorm::kSlaney) triangles *= 2.0 / (right - left);
  return triangles.to(at::kFloat);
}

}  // namespace dualpath::data
