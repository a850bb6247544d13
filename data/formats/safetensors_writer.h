#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/files/atomic_file.h"
#include "data/formats/dtype.h"

namespace dualpath::data {

struct TensorInfo {
  std::string name;
  DType dtype;
  std::vector<std::int64_t> shape;
};

/// Writes one .safetensors file a tensor at a time, so that no more than one has to be in memory:
///   SafetensorsWriter writer(path, {{"a.weight", DType::kI8, {64, 32}},
///                                   {"a.scale", DType::kF32, {64, 1}}});
///   writer.append("a.scale", bytes);  // each once, in any order
///   writer.append("a.weight", bytes);
///   writer.commit();
/// Equal content gives equal bytes: tensors lie by falling element size (so that all are aligned),
/// then in the order listed. The metadata always has "format": "pt" (transformers asks for it) and
/// "data_sha256", the SHA-256 of all that follows the header. Until commit() nothing is at path, as
/// with AtomicFile.
class SafetensorsWriter {
 public:
  SafetensorsWriter(std::filesystem::path path, std::vector<TensorInfo> tensors,
                    std::map<std::string, std::string> metadata = {});

  void append(std::string_view name, std::span<const std::byte> bytes);
  /// Puts the file in its place; called once, as the last call. A tensor that was not appended is
  /// an Error naming it.
  void commit();

 private:
  struct Slot {
    std::uint64_t begin, size;  // in the data section
    bool written = false;
  };

  std::filesystem::path path_;
  std::map<std::string, Slot, std::less<>> slots_;
  std::uint64_t data_begin_ = 0;
  std::uint64_t checksum_begin_ = 0;
  AtomicFile file_;
};

/// Writes all tensors by a SafetensorsWriter.
void write_safetensors(const std::filesystem::path& path,
                       const std::vector<std::pair<std::string, TensorView>>& tensors,
                       std::map<std::string, std::string> metadata = {});

}  // namespace dualpath::data
