#pragma once

#include <torch/types.h>

#include <cstdint>

namespace dualpath::data {

/// The rule by which pitch follows from frequency: HTK's logarithm, or Slaney's Auditory Toolbox,
/// linear below 1 kHz.
enum class MelScale { kHtk, kSlaney };
/// The triangles' height: 1, or (Slaney) such that all have one area.
enum class MelNorm { kNone, kSlaney };

/// Triangles at even distances of pitch from 0 Hz to half the sampling rate. Each reaches from its
/// left neighbour's peak to its right neighbour's.
struct MelFilters {
  std::int64_t feature_size = 80;  ///< the number of triangles
  std::int64_t bins = 257;         ///< bins of the spectrum, from 0 to half the sampling rate
  std::int64_t sampling_rate = 16000;
  MelScale mel_scale = MelScale::kSlaney;
  MelNorm norm = MelNorm::kSlaney;

  /// [feature_size, bins] float32, computed in float64.
  torch::Tensor weights() const;
};

}  // namespace dualpath::data
