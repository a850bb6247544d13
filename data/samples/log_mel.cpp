#include "data/samples/log_mel.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/base/error.h"

namespace dualpath::data {
namespace {

using at::Tensor;

constexpr IntegerRange kCount{.low = 1, .high = 1 << 16};
constexpr IntegerRange kRate{.low = 1, .high = 1 << 20};

/// Subtracts a share of sample t - 1 from sample t. x: [L].
Tensor preemphasized(const Tensor& x, double share) {
  const Tensor rest = x.slice(0, 1) - share * x.slice(0, 0, -1);
  return at::cat({x.slice(0, 0, 1), rest});
}

/// Gives each band mean 0 and deviation 1. x: [T, bands].
Tensor normalized(const Tensor& x) {
  constexpr double kEps = 1e-5;
  const Tensor deviation = x.std(0, /*unbiased=*/true, /*keepdim=*/true);
  return (x - x.mean(0, /*keepdim=*/true)) / (deviation + kEps);
}

}  // namespace

LogMelOptions LogMelOptions::torchaudio() {
  return {.feature_size = 128,
          .n_fft = 400,
          .hop_length = 200,
          .preemphasis = 0.0,
          .periodic_window = true,
          .edge = ClipEdge::kReflected,
          .mel_scale = MelScale::kHtk,
          .norm = MelNorm::kNone,
          .do_normalize = false,
          .last_frame = true};
}

LogMelOptions LogMelOptions::whisper() {
  return {.n_fft = 400,
          .preemphasis = 0.0,
          .periodic_window = true,
          .edge = ClipEdge::kReflected,
          .range = LogMelRange::kWhisper,
          .do_normalize = false,
          .chunk_length = 30,
          .return_attention_mask = false};
}

namespace {

LogMelOptions read_parakeet(const JsonObject& config) {
  LogMelOptions o;
  o.feature_size = config.integer_or("feature_size", o.feature_size, kCount);
  o.sampling_rate = config.integer_or("sampling_rate", o.sampling_rate, kRate);
  o.n_fft = config.integer_or("n_fft", o.n_fft, kCount);
  o.win_length = config.integer_or("win_length", o.win_length, {.low = 1, .high = o.n_fft});
  o.hop_length = config.integer_or("hop_length", o.hop_length, kCount);
  // transformers takes null for no preemphasis, while an absent key has its default.
  o.preemphasis =
      config.number_or("preemphasis", config.raw().contains("preemphasis") ? 0.0 : o.preemphasis,
                       {.low = 0.0, .high = 1.0});
  return o;
}

/// Reads the keys that transformers' class reads. It makes "n_samples", "nb_max_frames" and
/// "mel_filters" anew, whatever the file says.
LogMelOptions read_whisper(const JsonObject& config) {
  constexpr IntegerRange kSeconds{.low = 1, .high = 3600};
  constexpr NumberRange kNone{.low = 0.0, .high = 0.0};
  LogMelOptions o = LogMelOptions::whisper();
  o.feature_size = config.integer_or("feature_size", o.feature_size, kCount);
  // The filters end at 8 kHz whatever the rate.
  o.sampling_rate = config.integer_or("sampling_rate", o.sampling_rate,
                                      {.low = o.sampling_rate, .high = o.sampling_rate});
  o.n_fft = o.win_length = config.integer_or("n_fft", o.n_fft, kCount);
  o.hop_length = config.integer_or("hop_length", o.hop_length, kCount);
  o.chunk_length = config.integer_or("chunk_length", o.chunk_length, kSeconds);
  o.return_attention_mask = config.boolean_or("return_attention_mask", o.return_attention_mask);
  config.number_or("padding_value", 0.0, kNone);
  config.number_or("dither", 0.0, kNone);
  const std::string side = config.string_or("padding_side", "right");
  if (side != "right")
    throw Error("{}: padding_side: expected \"right\", got \"{}\"", config.where(),
                printable(side));
  return o;
}

}  // namespace

LogMelOptions LogMelOptions::from_json(const JsonObject& config) {
  const std::string type = config.string("feature_extractor_type");
  if (type == "ParakeetFeatureExtractor") return read_parakeet(config);
  if (type == "WhisperFeatureExtractor") return read_whisper(config);
  throw Error(
      "{}: feature_extractor_type: expected ParakeetFeatureExtractor or WhisperFeatureExtractor, "
      "got \"{}\"",
      config.where(), printable(type));
}

LogMel::LogMel(const LogMelOptions& options)
    : options_(options),
      window_(at::hann_window(options.win_length, options.periodic_window, at::kFloat)),
      filters_(MelFilters{.feature_size = options.feature_size,
                          .bins = options.n_fft / 2 + 1,
                          .sampling_rate = options.sampling_rate,
                          .mel_scale = options.mel_scale,
                          .norm = options.norm}
                   .weights()) {}

std::int64_t LogMel::real_frames(std::int64_t samples) const {
  if (options_.chunk_length > 0) {
    const std::int64_t hop = options_.hop_length;
    return options_.return_attention_mask ? (samples + hop - 1) / hop : chunk_frames();
  }
  return samples / options_.hop_length + (options_.last_frame ? 1 : 0);
}

std::int64_t LogMel::fewest_samples() const {
  if (options_.chunk_length > 0) return 1;
  const std::int64_t frames = options_.do_normalize ? 2 : 1;
  const std::int64_t for_frames =
      std::max<std::int64_t>((frames - (options_.last_frame ? 1 : 0)) * options_.hop_length, 1);
  // A sample cannot be its own mirror image.
  const std::int64_t for_edge = options_.edge == ClipEdge::kReflected ? options_.n_fft / 2 + 1 : 1;
  return std::max(for_frames, for_edge);
}

/// The power at each frequency, [bins, frames]. samples: [L].
Tensor LogMel::spectrum(const Tensor& samples) const {
  const char* edge = options_.edge == ClipEdge::kReflected ? "reflect" : "constant";
  const Tensor waves = at::stft(samples, options_.n_fft, options_.hop_length, options_.win_length,
                                window_, /*center=*/true, edge, /*normalized=*/false,
                                /*onesided=*/true, /*return_complex=*/true);
  return at::view_as_real(waves).square().sum(-1);
}

void LogMel::check_length(std::int64_t samples) const {
  if (samples < fewest_samples())
    throw Error("audio clip: expected at least {} samples, got {}", fewest_samples(), samples);
  if (options_.chunk_length > 0 && samples > chunk_samples())
    throw Error("audio clip: expected at most {} samples ({} s), got {}", chunk_samples(),
                options_.chunk_length, samples);
}

/// bands: a clip's power, [feature_size, frames or more]. Result: [frames, feature_size].
Tensor LogMel::logarithm(const Tensor& bands, std::int64_t frames) const {
  if (options_.range == LogMelRange::kWhole)
    return at::log(bands + options_.log_zero_guard).t().narrow(0, 0, frames);
  constexpr double kLeast = 1e-10, kDecades = 8.0;
  const Tensor levels = bands.narrow(1, 0, frames).clamp_min(kLeast).log10();
  return ((at::maximum(levels, levels.max() - kDecades) + 4.0) / 4.0).t();
}

/// The features of a clip, [frames, feature_size]: the real ones', or the whole chunk's.
Tensor LogMel::features(const std::vector<float>& clip) const {
  const auto length = static_cast<std::int64_t>(clip.size());
  check_length(length);
  Tensor samples = at::from_blob(const_cast<float*>(clip.data()), {length}, at::kFloat);
  if (options_.chunk_length > 0)
    samples = at::constant_pad_nd(samples, {0, chunk_samples() - length});
  if (options_.preemphasis != 0.0) samples = preemphasized(samples, options_.preemphasis);
  const std::int64_t count = options_.chunk_length > 0 ? chunk_frames() : real_frames(length);
  const Tensor frames = logarithm(at::matmul(filters_, spectrum(samples)), count);
  return options_.do_normalize ? normalized(frames) : frames;
}

AudioFeatures LogMel::operator()(std::span<const std::vector<float>> clips) const {
  TORCH_CHECK(!clips.empty(), "a batch needs at least one clip");
  std::vector<Tensor> features;
  std::int64_t longest = 0;
  for (const std::vector<float>& clip : clips) {
    features.push_back(this->features(clip));
    longest = std::max(longest, features.back().size(0));
  }
  const auto count = static_cast<std::int64_t>(clips.size());
  AudioFeatures batch{at::zeros({count, longest, options_.feature_size}),
                      at::zeros({count, longest}, at::kBool)};
  for (std::int64_t row = 0; row < count; ++row) {
    const auto index = static_cast<std::size_t>(row);
    const Tensor& clip = features[index];
    batch.features[row].narrow(0, 0, clip.size(0)).copy_(clip);
    batch.mask[row]
        .narrow(0, 0, real_frames(static_cast<std::int64_t>(clips[index].size())))
        .fill_(true);
  }
  return batch;
}

}  // namespace dualpath::data
