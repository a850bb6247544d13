#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace dualpath::data {

/// A file or directory of texts, and how many samples of it are drawn for `ratio`s of the others.
struct BlendSource {
  std::filesystem::path path;
  std::int64_t ratio = 1;
};

/// The sources of data.train: the path itself or, if its name ends with ".blend.json", those that
/// it lists. Such a file is {"sources": [{"path": "talks.jsonl", "ratio": 3}, …]}, paths relative
/// to itself, ratios from 1 (the default) to 1000. Other keys, no source and a blend among the
/// sources are an Error.
std::vector<BlendSource> blend_sources(const std::filesystem::path& path);

/// The sources of data of which all samples are read once, in the sources' order. A "ratio" would
/// have no effect there and is an Error.
std::vector<std::filesystem::path> listed_sources(const std::filesystem::path& path);

}  // namespace dualpath::data
