#pragma once

#include <string>

namespace dualpath::data {

/// Throws an Error unless the content is a WAV (RIFF or RF64), FLAC or OGG file by its first bytes,
/// and a whole one. WAV's header gives the length, OGG's pages have checksums and a last one.
/// libsndfile would take a part of either for the whole; FLAC it checks itself. Errors call the
/// file `name`.
void check_audio_container(const std::string& bytes, const std::string& name);

}  // namespace dualpath::data
