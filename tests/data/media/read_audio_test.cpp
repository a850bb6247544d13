#include "data/media/read_audio.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <numbers>
#include <optional>
#include <string>
#include <string_view>

#include "data/base/error.h"
#include "data/files/file.h"
#include "data/formats/safetensors.h"
#include "data/process/memory.h"
#include "tests/support/error_message.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::data;
using namespace dualpath::testing;
using Catch::Contains;

namespace {

const std::filesystem::path kAudio = "build/reference/audio";

/// What soundfile or torchaudio has of a file of tests/reference/audio.py.
std::vector<float> expected_audio(const std::string& name) {
  const SafetensorsReader reader(kAudio / "expected.safetensors");
  const TensorView view = reader.tensor(name);
  const auto* first = reinterpret_cast<const float*>(view.bytes.data());
  return {first, first + view.bytes.size() / sizeof(float)};
}

float largest_sample_difference(const std::vector<float>& a, const std::vector<float>& b,
                                std::size_t margin = 0) {
  REQUIRE(a.size() == b.size());
  float largest = 0;
  for (std::size_t i = margin; i + margin < a.size(); ++i)
    largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

std::string little_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

/// A WAV file of 32-bit floats. says: the bytes of samples in its header; what is there, if none.
struct Wav {
  std::vector<float> samples;
  unsigned rate = 16000, channels = 1;
  std::optional<std::uint32_t> says{};

  std::string bytes() const {
    const std::string_view data(reinterpret_cast<const char*>(samples.data()), 4 * samples.size());
    return "RIFF" + little_endian(36 + data.size(), 4) + "WAVEfmt " + little_endian(16, 4) +
           little_endian(3, 2) + little_endian(channels, 2) + little_endian(rate, 4) +
           little_endian(std::uint64_t{4} * rate * channels, 4) + little_endian(4 * channels, 2) +
           little_endian(32, 2) + "data" + little_endian(says.value_or(data.size()), 4) +
           std::string(data);
  }
};

std::vector<float> tone(double frequency, unsigned rate, double seconds) {
  std::vector<float> samples(static_cast<std::size_t>(std::lround(rate * seconds)));
  for (std::size_t i = 0; i < samples.size(); ++i)
    samples[i] = static_cast<float>(
        std::sin(2 * std::numbers::pi * frequency * static_cast<double>(i) / rate));
  return samples;
}

double power(const std::vector<float>& x, std::size_t margin) {
  double sum = 0;
  for (std::size_t i = margin; i + margin < x.size(); ++i) sum += double{x[i]} * x[i];
  return sum / static_cast<double>(x.size() - 2 * margin);
}

constexpr std::size_t kEdge = 800;  // 50 ms: what the filter sees of the silence around a clip

std::vector<float> read(const std::string& bytes) {
  const TemporaryDirectory directory;
  write_plain(directory / "clip", bytes);
  return read_audio(directory / "clip");
}

/// The Error of these bytes, less the name of their file, with which it must begin.
std::string audio_refusal(const std::string& bytes) {
  const TemporaryDirectory directory;
  const std::string path = directory / "clip";
  write_plain(path, bytes);
  const std::string message = error_message([&] { read_audio(path); });
  CHECK(message.find('\n') == std::string::npos);
  if (!message.starts_with(path + ": ")) return "(nothing that names the file) " + message;
  return message.substr(path.size() + 2);
}

}  // namespace

TEST_CASE("WAV and FLAC files have soundfile's samples", "[data][media]") {
  const std::string file = GENERATE("pcm16.wav", "pcm24.wav", "float.wav", "stereo.wav",
                                    "extensible.wav", "rf64.wav", "mono.flac", "stereo.flac");
  CAPTURE(file);
  CHECK(read_audio(kAudio / file) == expected_audio(file));
}

TEST_CASE("OGG files have soundfile's samples, but for its own decoders' rounding",
          "[data][media]") {
  const std::string file = GENERATE("vorbis.ogg", "opus.ogg");
  CAPTURE(file);
  CHECK(largest_sample_difference(read_audio(kAudio / file), expected_audio(file)) < 1e-6F);
}

TEST_CASE("FLAC that was written to a pipe does not say its length", "[data][media]") {
  CHECK(read_audio(kAudio / "streamed.flac") == expected_audio("mono.flac"));
}

TEST_CASE("a tone of another rate keeps its height and its place", "[data][media]") {
  const unsigned rate = GENERATE(8000, 11025, 22050, 44100, 48000, 96000, 768000);
  CAPTURE(rate);
  const std::vector<float> samples = read(Wav{tone(1000, rate, 0.4), rate}.bytes());
  std::vector<float> error = tone(1000, kAudioRate, 0.4);
  const double signal = power(error, kEdge);
  REQUIRE(samples.size() == error.size());
  for (std::size_t i = 0; i < error.size(); ++i) error[i] -= samples[i];
  CHECK(10 * std::log10(signal / power(error, kEdge)) > 100);  // dB
}

TEST_CASE("what lies above 8 kHz does not come back below", "[data][media]") {
  const std::vector<float> samples = read(Wav{tone(9000, 44100, 0.5), 44100}.bytes());
  CHECK(10 * std::log10(power(samples, kEdge)) < -100);  // dB
}

TEST_CASE("a chirp of 44.1 kHz is torchaudio's, but for its edges", "[data][media]") {
  CHECK(largest_sample_difference(read_audio(kAudio / "chirp.wav"), expected_audio("chirp.wav"),
                                  kEdge) < 1e-5F);
}

TEST_CASE("a file that ends early is refused, wherever it ends", "[data][media]") {
  const std::string file =
      GENERATE("float.wav", "rf64.wav", "extensible.wav", "mono.flac", "vorbis.ogg", "opus.ogg");
  const std::string bytes = read_file(kAudio / file);
  CAPTURE(file);
  for (std::size_t twentieth = 0; twentieth < 20; ++twentieth)
    CHECK_THAT(audio_refusal(bytes.substr(0, bytes.size() * twentieth / 20)), Contains("expected"));
  CHECK_THAT(audio_refusal(bytes.substr(0, bytes.size() - 1)), Contains("expected"));
}

TEST_CASE("damage is found by the checksums of FLAC and OGG", "[data][media]") {
  const std::string file = GENERATE("mono.flac", "vorbis.ogg", "opus.ogg");
  std::string bytes = read_file(kAudio / file);
  const std::size_t at = bytes.size() * GENERATE(2U, 3U, 7U) / 10;
  bytes[at] = static_cast<char>(bytes[at] ^ 1);
  CAPTURE(file, at);
  CHECK_THAT(audio_refusal(bytes), Contains("expected a whole "));
}

TEST_CASE("a WAV header that lies about its length is refused", "[data][media]") {
  Wav wav{tone(440, 16000, 0.2)};
  CHECK_NOTHROW(read(wav.bytes()));
  for (const std::uint32_t says : {0U, 12801U, 0xFFFFFFF0U, 0xFFFFFFFFU}) {
    wav.says = says;
    CHECK_THAT(audio_refusal(wav.bytes()),
               Contains(fmt::format("says {} bytes of samples, 12800 are there", says)));
  }
}

TEST_CASE("a clip shorter than a tenth of a second is refused", "[data][media]") {
  CHECK_THAT(audio_refusal(Wav{tone(440, 16000, 0.09)}.bytes()),
             Contains("expected 0.1 to 300 seconds of audio, got 0.09"));
  CHECK(read(Wav{tone(440, 16000, 0.1)}.bytes()).size() == 1600);
}

TEST_CASE("an hour is refused, whether its header says so or not", "[data][media]") {
  const std::string file = GENERATE("hour.flac", "hour_streamed.flac");
  CAPTURE(file);
  const std::int64_t before = restart_peak_resident().value_or(peak_resident_bytes());
  const std::string message = error_message([&] { read_audio(kAudio / file); });
  CHECK_THAT(message, Contains(file + ": expected 0.1 to 300 seconds of audio, got 3"));
  CHECK(peak_resident_bytes() - before < 128 << 20);  // the hour at 16 kHz is 220 MiB
}

TEST_CASE("samples that are not finite are refused", "[data][media]") {
  const float bad = GENERATE(std::numeric_limits<float>::quiet_NaN(),
                             -std::numeric_limits<float>::infinity(), 1e30F);
  Wav wav{tone(440, 16000, 0.5)};
  wav.samples[5000] = bad;
  CHECK_THAT(audio_refusal(wav.bytes()), Contains("expected finite samples, got ") &&
                                             Contains(fmt::format("{} as number 5000", bad)));
}

TEST_CASE("rates and channels out of range are refused", "[data][media]") {
  const std::vector<float> samples(64 * 2000);
  CHECK_THAT(audio_refusal(Wav{samples, 999}.bytes()), Contains("1000 to 768000 Hz, got 999"));
  CHECK_THAT(audio_refusal(Wav{samples, 768001}.bytes()),
             Contains("1000 to 768000 Hz, got 768001"));
  CHECK_THAT(audio_refusal(Wav{samples, 16000, 65}.bytes()), Contains("1 to 64 channels, got 65"));
  CHECK(read(Wav{samples, 16000, 64}.bytes()).size() == 2000);
}

TEST_CASE("other containers are refused", "[data][media]") {
  const std::string bytes = GENERATE(as<std::string>{}, "", "RIFF",
                                     "FORM\0\0\0\x20"
                                     "AIFF",
                                     ".snd", "RIFX\x20\0\0\0WAVE", "ID3\x04");
  CHECK_THAT(audio_refusal(bytes), Contains("expected a WAV, FLAC or OGG file"));
}

TEST_CASE("a directory is no audio", "[data][media]") {
  const TemporaryDirectory directory;
  CHECK_THROWS_AS(read_audio(directory.path()), Error);
}
