#pragma once

#include <filesystem>
#include <vector>

namespace dualpath::data {

/// Of what read_audio() gives, in Hz: what speech models take.
inline constexpr int kAudioRate = 16000;

/// A WAV (RIFF or RF64), FLAC or OGG (Vorbis, Opus) file, told apart by its first bytes: [L] mono
/// samples at kAudioRate, full scale being 1. Channels are averaged; another rate goes through
/// soxr's high quality. A file of more than 256 MiB, a clip under 0.1 s or over 5 minutes (decided
/// by the header, and again while reading, a block at a time), rates outside 1 to 768 kHz, more
/// than 64 channels, samples that are not finite, or a damaged file is an Error that names the
/// file.
std::vector<float> read_audio(const std::filesystem::path& path);

}  // namespace dualpath::data
