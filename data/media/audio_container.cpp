#include "data/media/audio_container.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "data/base/error.h"

namespace dualpath::data {
namespace {

constexpr std::uint32_t kSeeDs64 = 0xFFFFFFFF;  // RF64: the length is in the first chunk, ds64

/// A little-endian number of `size` bytes; 0 beyond the end.
std::uint64_t number(std::string_view bytes, std::size_t at, std::size_t size) {
  if (at > bytes.size() || size > bytes.size() - at) return 0;
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;)
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

/// Checks RIFF: a name of 12 bytes, then chunks. A chunk is 4 bytes of name, 4 of size, its
/// content, and a byte to make that even.
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

/// Remainders of each byte times x^32, divided by OGG's polynomial; the highest bit comes first.
constexpr std::array<std::uint32_t, 256> make_remainders() {
  constexpr std::uint32_t kPolynomial = 0x04C11DB7, kTop = 0x80000000;
  std::array<std::uint32_t, 256> remainders{};
  for (std::uint32_t byte = 0; byte < remainders.size(); ++byte) {
    std::uint32_t x = byte << 24;
    for (int bit = 0; bit < 8; ++bit) x = x << 1 ^ ((x & kTop) != 0 ? kPolynomial : 0);
    remainders[byte] = x;
  }
  return remainders;
}

/// A page of OGG: a head with its flags, checksum (counted as zeros itself) and number of segments,
/// a byte of length for each segment, the segments.
constexpr std::size_t kPageHead = 27, kPageFlags = 5, kPageChecksum = 22, kPageSegments = 26;
constexpr unsigned kLastPage = 4;  // a flag

std::uint32_t page_checksum(std::string_view page) {
  constexpr std::array<std::uint32_t, 256> kRemainders = make_remainders();
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < page.size(); ++i) {
    const bool own = i >= kPageChecksum && i < kPageChecksum + 4;
    sum = sum << 8 ^ kRemainders[sum >> 24 ^ (own ? 0 : static_cast<unsigned char>(page[i]))];
  }
  return sum;
}

/// The page at the beginning of `bytes`; empty if there is none or it is damaged.
std::string_view first_page(std::string_view bytes) {
  if (bytes.size() < kPageHead || !bytes.starts_with("OggS")) return {};
  const std::size_t segments = number(bytes, kPageSegments, 1);
  std::size_t size = kPageHead + segments;
  for (std::size_t i = 0; i < segments; ++i) size += number(bytes, kPageHead + i, 1);
  const std::string_view page = bytes.substr(0, size);
  const bool whole = page.size() == size && page_checksum(page) == number(page, kPageChecksum, 4);
  return whole ? page : std::string_view();
}

void check_ogg(std::string_view bytes, const std::string& name) {
  std::size_t at = 0;
  for (;;) {
    const std::string_view page = first_page(bytes.substr(at));
    if (page.empty())
      throw Error("{}: expected a whole OGG file, got none or a damaged page at byte {}", name, at);
    if ((number(page, kPageFlags, 1) & kLastPage) != 0) return;
    at += page.size();
  }
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
