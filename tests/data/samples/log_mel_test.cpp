#include "data/samples/log_mel.h"

#include <ATen/ATen.h>

#include <string>

#include "data/base/error.h"
#include "data/formats/safetensors.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"

using namespace dualpath;
using namespace dualpath::data;

namespace {

constexpr const char* kReference = "build/reference/log_mel.safetensors";

at::Tensor expected(const std::string& name) {
  const SafetensorsReader reader(kReference);
  const TensorView view = reader.tensor(name);
  const at::ScalarType type = view.dtype == DType::kBool ? at::kBool : at::kFloat;
  return at::from_blob(const_cast<std::byte*>(view.bytes.data()), view.shape, type).clone();
}

std::vector<float> expected_clip(int index) {
  const at::Tensor samples = expected("clip." + std::to_string(index));
  const float* first = samples.const_data_ptr<float>();
  return {first, first + samples.numel()};
}

std::vector<std::vector<float>> expected_clips() {
  return {expected_clip(0), expected_clip(1), expected_clip(2)};
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  REQUIRE(a.sizes() == b.sizes());
  return (a - b).abs().max().item<double>();
}

AudioFeatures features_of(const LogMelOptions& options,
                          const std::vector<std::vector<float>>& clips) {
  return LogMel(options)(clips);
}

LogMelOptions torchaudio_options() {
  LogMelOptions options = LogMelOptions::torchaudio();
  options.feature_size = 64;
  options.n_fft = 512;
  options.hop_length = 160;
  return options;
}

LogMelOptions torchaudio_slaney_options() {
  LogMelOptions options = LogMelOptions::torchaudio();
  options.feature_size = 80;
  options.mel_scale = MelScale::kSlaney;
  options.norm = MelNorm::kSlaney;
  return options;
}

constexpr double kTolerance = 1e-4;

}  // namespace

TEST_CASE("features are those of transformers' ParakeetFeatureExtractor", "[data][log_mel]") {
  const auto [name, bands, preemphasis] = GENERATE(table<std::string, std::int64_t, double>(
      {{"parakeet", 80, 0.97}, {"parakeet_128", 128, 0.0}}));
  INFO(name);
  LogMelOptions options;
  options.feature_size = bands;
  options.preemphasis = preemphasis;
  const AudioFeatures batch = features_of(options, expected_clips());
  // transformers carries one frame more, which is real in no clip.
  const std::int64_t frames = batch.features.size(1);
  CHECK(batch.mask.equal(expected("parakeet_mask").narrow(1, 0, frames)));
  CHECK(largest_difference(batch.features, expected(name).narrow(1, 0, frames)) < kTolerance);
  CHECK(expected(name).size(1) == frames + 1);
}

TEST_CASE("features are those of transformers' WhisperFeatureExtractor", "[data][log_mel]") {
  const auto [name, bands, seconds] = GENERATE(table<std::string, std::int64_t, std::int64_t>(
      {{"whisper", 80, 30}, {"whisper_128", 128, 10}}));
  INFO(name);
  LogMelOptions options = LogMelOptions::whisper();
  options.feature_size = bands;
  options.chunk_length = seconds;
  const AudioFeatures batch = features_of(options, expected_clips());
  CHECK(largest_difference(batch.features, expected(name)) < kTolerance);
  CHECK(batch.mask.all().item<bool>());
  CHECK(LogMel(options).chunk_frames() == batch.features.size(1));
  options.return_attention_mask = true;
  const AudioFeatures told = features_of(options, expected_clips());
  CHECK(told.features.equal(batch.features));
  CHECK(told.mask.equal(expected("whisper_mask").narrow(1, 0, told.mask.size(1))));
}

TEST_CASE("a clip longer than a chunk is refused, not cut off", "[data][log_mel]") {
  LogMelOptions options = LogMelOptions::whisper();
  options.chunk_length = 1;
  const std::vector<float> longest(16000, 0.5f), too_long(16001, 0.5f), shortest(1, 0.5f);
  CHECK(features_of(options, {longest, shortest}).features.isfinite().all().item<bool>());
  CHECK(testing::error_message([&] { features_of(options, {too_long}); }) ==
        "audio clip: expected at most 16000 samples (1 s), got 16001");
  CHECK(testing::error_message([&] { features_of(options, {{}}); }) ==
        "audio clip: expected at least 1 samples, got 0");
}

TEST_CASE("features are the logarithm of torchaudio's MelSpectrogram", "[data][log_mel]") {
  const auto [name, options] = GENERATE(table<std::string, LogMelOptions>(
      {{"torchaudio", torchaudio_options()}, {"torchaudio_slaney", torchaudio_slaney_options()}}));
  const int index = GENERATE(0, 1, 2);
  INFO(name << "." << index);
  const AudioFeatures batch = features_of(options, {expected_clip(index)});
  CHECK(batch.mask.all().item<bool>());
  const at::Tensor wanted = expected(name + "." + std::to_string(index));
  CHECK(largest_difference(batch.features[0], wanted) < kTolerance);
}

TEST_CASE("a clip's features do not depend on the clips beside it", "[data][log_mel]") {
  const LogMelOptions options = GENERATE(LogMelOptions{}, torchaudio_options());
  const AudioFeatures batch = features_of(options, expected_clips());
  for (int row = 0; row < 3; ++row) {
    const AudioFeatures alone = features_of(options, {expected_clip(row)});
    const std::int64_t frames = alone.features.size(1);
    CHECK(batch.features[row].narrow(0, 0, frames).equal(alone.features[0]));
    CHECK(batch.mask[row].sum().item<std::int64_t>() == frames);
  }
}

TEST_CASE("padding is zero and not real", "[data][log_mel]") {
  const AudioFeatures batch = features_of({}, expected_clips());
  CHECK(batch.features.sizes() == torch::IntArrayRef{3, 150, 80});
  CHECK(batch.mask.sum(1).equal(torch::tensor({150, 100, 62})));
  CHECK(batch.features.masked_select(~batch.mask.unsqueeze(-1)).eq(0.0).all().item<bool>());
}

TEST_CASE("HTK's filters are triangles of height 1 between even steps of pitch",
          "[data][log_mel]") {
  // 8 kHz is 2840 mel: corners at 0, 1420 and 2840 mel, that is 0, 1767.8 and 8000 Hz.
  const at::Tensor weights = MelFilters{.feature_size = 1,
                                        .bins = 5,
                                        .sampling_rate = 16000,
                                        .mel_scale = MelScale::kHtk,
                                        .norm = MelNorm::kNone}
                                 .weights();
  const at::Tensor by_hand =
      torch::tensor({{0.0, 6000.0 / 6232.2, 4000.0 / 6232.2, 2000.0 / 6232.2, 0.0}}, at::kFloat);
  CHECK(largest_difference(weights, by_hand) < 1e-4);
}

TEST_CASE("a clip too short to be normalized says how long it must be", "[data][log_mel]") {
  const std::vector<float> two_frames(320, 0.5f), one_frame(319, 0.5f);
  CHECK(features_of({}, {two_frames}).features.isfinite().all().item<bool>());
  CHECK(testing::error_message([&] { features_of({}, {one_frame}); }) ==
        "audio clip: expected at least 320 samples, got 319");
  CHECK(testing::error_message([&] { features_of(torchaudio_options(), {{0.5f}}); }) ==
        "audio clip: expected at least 257 samples, got 1");
}

TEST_CASE("options are read from Parakeet's preprocessor_config.json", "[data][log_mel]") {
  const auto read = [](const char* text) {
    return LogMelOptions::from_json(JsonObject::parse(text, "preprocessor_config.json"));
  };
  CHECK(read(R"({"feature_extractor_type": "ParakeetFeatureExtractor"})") == LogMelOptions{});
  const LogMelOptions options =
      read(R"({"feature_extractor_type": "ParakeetFeatureExtractor", "feature_size": 128,
               "hop_length": 128, "preemphasis": null})");
  CHECK(options.feature_size == 128);
  CHECK(options.hop_length == 128);
  CHECK(options.preemphasis == 0.0);
  CHECK(testing::error_message(
            [&] { read(R"({"feature_extractor_type": "ASTFeatureExtractor"})"); }) ==
        "preprocessor_config.json: feature_extractor_type: expected ParakeetFeatureExtractor or "
        "WhisperFeatureExtractor, got \"ASTFeatureExtractor\"");
  CHECK(testing::error_message([&] {
          read(R"({"feature_extractor_type": "ParakeetFeatureExtractor", "win_length": 600})");
        }) == "preprocessor_config.json: win_length: expected an integer in [1, 512], got 600");
}

TEST_CASE("options are read from Whisper's preprocessor_config.json, or refused by name",
          "[data][log_mel]") {
  const auto read = [](const std::string& keys) {
    return LogMelOptions::from_json(JsonObject::parse(
        R"({"feature_extractor_type": "WhisperFeatureExtractor")" + keys + "}", "config"));
  };
  CHECK(read("") == LogMelOptions::whisper());
  CHECK(read(R"(, "n_samples": 480000, "nb_max_frames": 3000, "padding_value": 0.0)") ==
        LogMelOptions::whisper());
  const LogMelOptions options = read(
      R"(, "feature_size": 128, "hop_length": 80, "n_fft": 512, "chunk_length": 5,
         "return_attention_mask": true)");
  CHECK(options.feature_size == 128);
  CHECK(options.hop_length == 80);
  CHECK(options.n_fft == 512);
  CHECK(options.win_length == 512);
  CHECK(options.chunk_length == 5);
  CHECK(options.return_attention_mask);
  const auto message = [&](const std::string& keys) {
    return testing::error_message([&] { read(keys); });
  };
  CHECK(message(R"(, "sampling_rate": 8000)").starts_with("config: sampling_rate: expected"));
  CHECK(message(R"(, "dither": 0.1)").starts_with("config: dither: expected"));
  CHECK(message(R"(, "padding_value": 1.0)").starts_with("config: padding_value: expected"));
  CHECK(message(R"(, "padding_side": "left")") ==
        "config: padding_side: expected \"right\", got \"left\"");
}
