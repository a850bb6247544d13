#include "data/media/media_file.h"

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "data/base/error.h"
#include "data/files/file.h"

namespace dualpath::data {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr int kNoDigit = -1;

/// The value of each byte as a digit of base64 (RFC 4648).
constexpr std::array<int, 256> kValues = [] {
  std::array<int, 256> values{};
  values.fill(kNoDigit);
  for (std::size_t i = 0; i < kDigits.size(); ++i)
    values[static_cast<unsigned char>(kDigits[i])] = static_cast<int>(i);
  return values;
}();

std::string from_base64(std::string_view text, const std::string& place) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t held = 0;
  int bits = 0;
  for (const char digit : text) {
    const int value = kValues[static_cast<unsigned char>(digit)];
    if (value == kNoDigit)
      throw Error("{}: expected base64, got {}", place, printable({&digit, 1}));
    held = held << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(held >> bits & 0xFF);
  }
  return bytes;
}

}  // namespace

std::string kind_of(const MediaFiles& files) {
  if (files.empty()) return "text";
  if (files.audio.empty()) return "image";
  return files.images.empty() ? "audio" : "image and audio";
}

std::string read_bytes(const MediaFile& file, std::uint64_t max_bytes) {
  if (!file.base64) return read_file(file.path, max_bytes);
  const MappedFile whole(file.path);
  const auto [begin, end] = *file.base64;
  if (end > whole.bytes().size()) throw Error("{}: the file has become shorter", file.place);
  if ((end - begin) / 4 * 3 > max_bytes)
    throw Error("{}: expected at most {} bytes", file.place, max_bytes);
  const std::span<const std::byte> text = whole.bytes().subspan(begin, end - begin);
  return from_base64({reinterpret_cast<const char*>(text.data()), text.size()}, file.place);
}

}  // namespace dualpath::data
