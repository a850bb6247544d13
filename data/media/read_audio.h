#pragma once

#include <filesystem>
#include <vector>

namespace dualpath::data {

/// The rate of read_audio()'s samples in Hz, the one that speech models take.
inline constexpr int kAudioRate = 16000;

/// Reads a WAV (RIFF or RF64), FLAC or OGG (Vorbis, Opus) file, told apart by its first bytes.
/// Returns [L] mono samples at kAudioRate, full scale being 1. Channels are averaged; another rate
/// goes through soxr's high quality. Errors name the file. Refused are files of more than 256 MiB
/// and damaged ones. Clips last from 0.1 s to 5 minutes, checked by the header and again while
/// reading, a block at a time. Rates are from 1 to 768 kHz, channels at most 64, and samples
/// finite.
std::vector<float> read_audio(const std::filesystem::path& path);

}  // namespace dualpath::data
