#pragma once

#include <filesystem>
#include <fstream>
#include <string_view>

namespace dualpath::testing {

/// Writes a file without waiting for the disk: for tests that make thousands.
inline void write_plain(const std::filesystem::path& path, std::string_view content) {
  std::ofstream file(path, std::ios::binary);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
}

}  // namespace dualpath::testing
