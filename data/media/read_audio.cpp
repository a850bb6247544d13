#include "data/media/read_audio.h"

#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/base/error.h"
#include "data/files/file.h"
#include "data/media/audio_container.h"
#include "data/media/resampler.h"

namespace dualpath::data {
namespace {

constexpr std::uint64_t kMaxAudioBytes = std::uint64_t{256} << 20;
constexpr int kMinRate = 1000, kMaxRate = 768000;  // Hz
constexpr int kMaxChannels = 64;
constexpr int kMaxSeconds = 300;
constexpr int kFewestPerSecond = 10;         // a clip has a tenth of a second at least
constexpr float kLoudest = 0x1p64F;          // far above any scale in use, and safe from overflow
constexpr std::size_t kFramesAtOnce = 4096;  // frames read at a time

/// The content of a file and the place where libsndfile reads on.
struct AudioSource {
  std::string_view bytes;
  sf_count_t at = 0;
};

sf_count_t length(void* user) {
  return static_cast<sf_count_t>(static_cast<AudioSource*>(user)->bytes.size());
}

sf_count_t seek(sf_count_t offset, int whence, void* user) {
  auto* source = static_cast<AudioSource*>(user);
  const sf_count_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? source->at : length(user);
  // Offsets come from the file, so any may come.
  if (offset < -from || offset > length(user) - from) return -1;
  return source->at = from + offset;
}

sf_count_t read(void* out, sf_count_t count, void* user) {
  auto* source = static_cast<AudioSource*>(user);
  count = std::clamp<sf_count_t>(count, 0, length(user) - source->at);
  std::copy_n(source->bytes.data() + source->at, count, static_cast<char*>(out));
  source->at += count;
  return count;
}

sf_count_t tell(void* user) { return static_cast<AudioSource*>(user)->at; }

float average(std::span<const float> channels) {
  double sum = 0;
  for (const float sample : channels) sum += sample;
  return static_cast<float>(sum / static_cast<double>(channels.size()));
}

class AudioFile {
 public:
  AudioFile(const std::string& bytes, const std::string& name)
      : name_(name), source_{bytes}, file_(nullptr, sf_close) {
    SF_VIRTUAL_IO io{
        .get_filelen = length, .seek = seek, .read = read, .write = nullptr, .tell = tell};
    file_.reset(sf_open_virtual(&io, SFM_READ, &info_, &source_));
    if (!file_) fail(sf_strerror(nullptr));
    check_header();
    interleaved_.resize(kFramesAtOnce * static_cast<std::size_t>(info_.channels));
  }

  int rate() const { return info_.samplerate; }

  /// The next mono samples: kFramesAtOnce at most, none at the end.
  std::vector<float> read_block() {
    const auto channels = static_cast<std::size_t>(info_.channels);
    const sf_count_t frames = sf_readf_float(file_.get(), interleaved_.data(), kFramesAtOnce);
    if (sf_error(file_.get()) != SF_ERR_NO_ERROR) fail(sf_strerror(file_.get()));
    std::vector<float> mono;
    for (std::size_t i = 0; i < static_cast<std::size_t>(frames); ++i)
      mono.push_back(average(std::span(interleaved_).subspan(i * channels, channels)));
    check_samples(mono);
    frames_ += frames;
    if (frames == 0) check_end();
    if (frames_ > most_frames()) fail_length(frames_);
    return mono;
  }

 private:
  sf_count_t most_frames() const { return kMaxSeconds * static_cast<sf_count_t>(rate()); }
  bool says_length() const { return info_.frames != SF_COUNT_MAX; }

  void check_header() const {
    if (rate() < kMinRate || rate() > kMaxRate)
      throw Error("{}: expected a sample rate of {} to {} Hz, got {}", name_, kMinRate, kMaxRate,
                  rate());
    if (info_.channels < 1 || info_.channels > kMaxChannels)
      throw Error("{}: expected 1 to {} channels, got {}", name_, kMaxChannels, info_.channels);
    if (says_length() && info_.frames > most_frames()) fail_length(info_.frames);
  }

  void check_samples(const std::vector<float>& mono) const {
    for (std::size_t i = 0; i < mono.size(); ++i)
      if (!(std::abs(mono[i]) <= kLoudest))
        throw Error("{}: expected finite samples, got {} as number {}", name_, mono[i],
                    static_cast<std::size_t>(frames_) + i);
  }

  void check_end() const {
    if (says_length() && frames_ != info_.frames)
      throw Error("{}: expected {} samples a channel, as its header says, got {}", name_,
                  info_.frames, frames_);
    if (frames_ * kFewestPerSecond < rate()) fail_length(frames_);
  }

  [[noreturn]] void fail_length(sf_count_t frames) const {
    throw Error("{}: expected 0.1 to {} seconds of audio, got {:.4g}", name_, kMaxSeconds,
                static_cast<double>(frames) / rate());
  }

  [[noreturn]] void fail(const char* message) const {
    throw Error("{}: expected a whole WAV, FLAC or OGG file: {}", name_, printable(message));
  }

  const std::string& name_;
  AudioSource source_;
  SF_INFO info_{};
  std::unique_ptr<SNDFILE, int (*)(SNDFILE*)> file_;
  std::vector<float> interleaved_;  // [kFramesAtOnce, channels]
  sf_count_t frames_ = 0;           // read so far
};

}  // namespace

std::vector<float> read_audio(const std::filesystem::path& path) {
  const std::string name = path.string();
  const std::string bytes = read_file(path, kMaxAudioBytes);
  check_audio_container(bytes, name);
  AudioFile file(bytes, name);
  Resampler resampler(file.rate(), kAudioRate);
  std::vector<float> samples;
  for (std::vector<float> block = file.read_block(); !block.empty(); block = file.read_block())
    resampler.push(block, samples);
  resampler.finish(samples);
  return samples;
}

}  // namespace dualpath::data
