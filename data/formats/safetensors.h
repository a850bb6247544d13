#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/files/file.h"
#include "data/formats/dtype.h"

namespace dualpath::data {

/// Reads one .safetensors file. Opening maps the file and checks its header: JSON, dtypes, shapes
/// against sizes, every byte of the data in exactly one tensor. So tensor() can only hand out
/// existing bytes. Opening costs the header. Thread-safe once open.
class SafetensorsReader {
 public:
  explicit SafetensorsReader(const std::filesystem::path& path);

  /// Sorted.
  const std::vector<std::string>& names() const { return names_; }
  bool contains(std::string_view name) const { return tensors_.contains(name); }
  /// A view into the mapping, valid while this reader or file() lives. An unknown name is an Error.
  const TensorView& tensor(std::string_view name) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// The mapped file. Hold it to keep the bytes of a tensor when the reader goes.
  const std::shared_ptr<const MappedFile>& file() const { return file_; }
  /// Reads all data and compares it with the checksum our writer leaves; a mismatch is an Error.
  /// Files of others have no checksum and pass.
  void verify() const;

 private:
  std::shared_ptr<const MappedFile> file_;
  std::span<const std::byte> data_;  // the bytes behind the header
  std::map<std::string, TensorView, std::less<>> tensors_;
  std::vector<std::string> names_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace dualpath::data
