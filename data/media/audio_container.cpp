#include "data/media/audio_container.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "data/base/error.h"

namespace dualpath::data {
namespace {

constexpr std::uint32_t kSeeDs64 = 0xFFFFFFFF;  // RF64: the length is in the first chunk, ds64

/// A little-endian number of that many bytes; 0 beyond the end.
std::uint64_t number(std::string_view bytes, std::size_t at, std::size_t size) {
  if (at > bytes.size() || size > bytes.size() - at) return 0;
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;)
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

/// RIFF: a name of 12 bytes, then chunks: 4 bytes of name, 4 of size, content, a byte to make it
/// even.
void check_wav(std::string_view bytes, const std::string& name) {
  constexpr std::size_t kChunks = 12, kHead = 8, kDs64Data = kChunks + kHead + 8;
  std::uint64_t at = kChunks;
  while (at + kHead <= bytes.size()) {
    std::uint64_t size = number(bytes, at + 4, 4);
    if (bytes.substr(at, 4) == "data") {
      if (bytes.starts_with("RF64") && size == kSeeDs64) size = number(bytes, kDs64Data, 8);
      const std::uint64_t left = bytes.size() - at - kHead;
      if (size == 0 || size > left)
        throw Error(
            "{}: expected a whole WAV file: its header says {} bytes of samples, {} are there",
            name, size, left);
      return;
    }
    at += kHead + size + size % 2;
  }
  throw Error("{}: expected a whole WAV file, got no samples", name);
}

/// A page of OGG: 27 bytes with flags at 5 and a number of segments at 26, a byte of length for
/// each segment, the segments.
void check_ogg(std::string_view bytes, const std::string& name) {
  constexpr std::size_t kHead = 27, kFlags = 5, kSegments = 26;
  constexpr unsigned char kLastPage = 4;
  std::size_t at = 0;
  while (bytes.size() - at >= kHead && bytes.substr(at).starts_with("OggS")) {
    const std::size_t segments = number(bytes, at + kSegments, 1);
    std::size_t size = kHead + segments;
    for (std::size_t i = 0; i < segments; ++i) size += number(bytes, at + kHead + i, 1);
    if (size > bytes.size() - at) break;
    if ((number(bytes, at + kFlags, 1) & kLastPage) != 0) return;
    at += size;
  }
  throw Error("{}: expected a whole OGG file, got none of its last page", name);
}

}  // namespace

void check_audio_container(const std::string& bytes, const std::string& name) {
  const std::string_view view = bytes;
  if (view.starts_with("fLaC")) return;
  if (view.starts_with("OggS")) return check_ogg(view, name);
  const bool riff = view.starts_with("RIFF") || view.starts_with("RF64");
  if (riff && view.substr(0, 12).ends_with("WAVE")) return check_wav(view, name);
  throw Error("{}: expected a WAV, FLAC or OGG file", name);
}

}  // namespace dualpath::data
