#pragma once

#include <string>

namespace dualpath::data {

/// Error unless the content of a file is a WAV (RIFF or RF64), FLAC or OGG file by its first bytes,
/// and a whole one by the length in WAV's header and the checksums and last page of OGG: libsndfile
/// takes what it finds of those for all. FLAC it watches itself. `name` is what errors call the
/// file.
void check_audio_container(const std::string& bytes, const std::string& name);

}  // namespace dualpath::data
