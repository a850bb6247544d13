#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/base/byte_range.h"

namespace dualpath::data {

/// A picture's or clip's file, or the base64 text of one inside another file.
struct MediaFile {
  template <class Path>
  requires std::convertible_to<Path, std::filesystem::path> MediaFile(Path&& file)
      : path(std::forward<Path>(file)) {}
  MediaFile(std::filesystem::path file, ByteRange range, std::string at)
      : path(std::move(file)), base64(range), place(std::move(at)) {}

  std::filesystem::path path;
  std::optional<ByteRange> base64 = {};  ///< bytes of `path`; all of it is the file if not given
  std::string place = {};                ///< the base64 text's, "questions.tsv:12: image"

  /// The name in errors.
  std::string name() const { return base64 ? place : path.string(); }
  bool operator==(const MediaFile&) const = default;
};

/// Reads all bytes of a picture or clip, max_bytes at most. Text that is no base64 is an Error.
std::string read_bytes(const MediaFile& file, std::uint64_t max_bytes);

/// The files that a text's placeholder tokens stand for, in order.
struct MediaFiles {
  std::vector<MediaFile> images = {};
  std::vector<std::filesystem::path> audio = {};

  bool empty() const { return images.empty() && audio.empty(); }
};

/// The name of what a sample holds beside text: "text" (nothing), "image", "audio" or "image and
/// audio".
std::string kind_of(const MediaFiles& files);

}  // namespace dualpath::data
