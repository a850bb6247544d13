#pragma once

#include <torch/types.h>

#include <cstdint>
#include <span>
#include <vector>

#include "data/formats/json.h"
#include "data/samples/mel_filters.h"

namespace dualpath::data {

/// The values before a clip's first and behind its last sample, where half a window reaches beyond
/// it.
enum class ClipEdge { kZeros, kReflected };

/// Log-mel features under the names of Hugging Face's feature extractors; the defaults are
/// Parakeet's.
struct LogMelOptions {
  std::int64_t feature_size = 80;      ///< mel bands
  std::int64_t sampling_rate = 16000;  ///< Hz
  std::int64_t n_fft = 512;            ///< samples in a transform
  std::int64_t win_length = 400;       ///< samples under the Hann window, in the transform's middle
  std::int64_t hop_length = 160;       ///< samples from frame to frame
  double preemphasis = 0.97;  ///< this much of the sample before is subtracted from each; 0: none
  bool periodic_window = false;
  ClipEdge edge = ClipEdge::kZeros;
  MelScale mel_scale = MelScale::kSlaney;
  MelNorm norm = MelNorm::kSlaney;
  double log_zero_guard = 0x1p-24;  ///< added to a band's power before the logarithm
  /// Gives each band mean 0 and deviation 1 over a clip's real frames.
  bool do_normalize = true;
  /// Whether a clip's last frame is real. Frames stand at every hop, the first at sample 0; at
  /// least half of the last one's window lies behind the clip.
  bool last_frame = false;

  /// The options of torchaudio.transforms.MelSpectrogram, followed by the logarithm of it plus
  /// log_zero_guard.
  static LogMelOptions torchaudio();
  /// Reads a preprocessor_config.json of feature_extractor_type ParakeetFeatureExtractor.
  static LogMelOptions from_json(const JsonObject& config);

  bool operator==(const LogMelOptions&) const = default;
};

/// B clips side by side, T frames in the longest.
struct AudioFeatures {
  torch::Tensor features;  // [B, T, feature_size] float32; 0 where mask is false
  torch::Tensor mask;      // [B, T] bool; false at padding
};

/// Turns clips into features. Each clip is transformed alone, so that nothing depends on the batch.
class LogMel {
 public:
  explicit LogMel(const LogMelOptions& options);

  /// The features of at least one clip of mono samples at the sampling rate. A clip too short for a
  /// frame (or, normalized, for two) is an Error.
  AudioFeatures operator()(std::span<const std::vector<float>> clips) const;
  /// Counts the real frames of a clip.
  std::int64_t real_frames(std::int64_t samples) const;

 private:
  torch::Tensor features(const std::vector<float>& clip) const;
  torch::Tensor spectrum(const torch::Tensor& samples) const;
  std::int64_t fewest_samples() const;

  LogMelOptions options_;
  torch::Tensor window_, filters_;
};

}  // namespace dualpath::data
