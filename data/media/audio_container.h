#pragma once

#include <string>

namespace dualpath::data {

/// Error unless the content of a file is a WAV (RIFF or RF64), FLAC or OGG file by its first bytes,
/// and one that does not end early by what WAV's header and OGG's pages say of their lengths:
/// libsndfile takes what is left of those for the whole. FLAC tells its length in frames, which
/// the decoder finds missing. `name` is what errors call the file.
void check_audio_container(const std::string& bytes, const std::string& name);

}  // namespace dualpath::data
