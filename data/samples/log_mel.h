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

/// The logarithm of a band's power.
enum class LogMelRange {
  kWhole,   ///< ln(power + log_zero_guard)
  kWhisper  ///< log10(max(power, 1e-10)), at least the clip's largest less 8; then (x + 4) / 4
};

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
  LogMelRange range = LogMelRange::kWhole;
  double log_zero_guard = 0x1p-24;  ///< added to a band's power before the logarithm
  /// Gives each band mean 0 and deviation 1 over a clip's real frames.
  bool do_normalize = true;
  /// Whether a clip's last frame is real. Frames stand at every hop, the first at sample 0; at
  /// least half of the last one's window lies behind the clip.
  bool last_frame = false;
  /// Seconds that silence fills each clip up to, before anything else. A longer clip is an Error
  /// (transformers cuts it off). 0: clips keep their length.
  std::int64_t chunk_length = 0;
  /// Whether the silence's frames are told from the clip's, as padding. transformers' Whisper does
  /// not tell them.
  bool return_attention_mask = true;

  /// The options of torchaudio.transforms.MelSpectrogram, followed by the logarithm of it plus
  /// log_zero_guard.
  static LogMelOptions torchaudio();
  /// The options of transformers' WhisperFeatureExtractor.
  static LogMelOptions whisper();
  /// Reads a preprocessor_config.json of feature_extractor_type ParakeetFeatureExtractor or
  /// WhisperFeatureExtractor.
  static LogMelOptions from_json(const JsonObject& config);

  bool operator==(const LogMelOptions&) const = default;
};

/// B clips side by side, T frames in the longest.
struct AudioFeatures {
  /// [B, T, feature_size] float32. Where mask is false, 0, or the silence that fills a chunk.
  torch::Tensor features;
  torch::Tensor mask;  // [B, T] bool; false at padding
};

/// Turns clips into features. Each clip is transformed alone, so that nothing depends on the batch.
class LogMel {
 public:
  explicit LogMel(const LogMelOptions& options);

  /// The features of at least one clip of mono samples at the sampling rate. A clip too short for a
  /// frame (or, normalized, for two), or longer than chunk_length, is an Error.
  AudioFeatures operator()(std::span<const std::vector<float>> clips) const;
  /// Counts the real frames of a clip.
  std::int64_t real_frames(std::int64_t samples) const;
  /// Frames of every clip; 0 if they follow its length.
  std::int64_t chunk_frames() const { return chunk_samples() / options_.hop_length; }

 private:
  torch::Tensor features(const std::vector<float>& clip) const;
  torch::Tensor spectrum(const torch::Tensor& samples) const;
  torch::Tensor logarithm(const torch::Tensor& bands, std::int64_t frames) const;
  void check_length(std::int64_t samples) const;
  std::int64_t fewest_samples() const;
  std::int64_t chunk_samples() const { return options_.chunk_length * options_.sampling_rate; }

  LogMelOptions options_;
  torch::Tensor window_, filters_;
};

}  // namespace dualpath::data
