#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/base/error.h"
#include "data/files/file.h"
#include "data/formats/ggml_type.h"
#include "data/formats/gguf_value.h"

namespace dualpath::data {

struct GgufTensor {
  GgmlType type;
  std::vector<std::int64_t> shape;   ///< row-major: the reverse of the file's order
  std::int64_t numel;                ///< the product of shape
  std::span<const std::byte> bytes;  ///< numel elements in blocks of `type`, see dequantize()
};

/// Reads one GGUF file, version 3 (or 2, which is laid out alike), little-endian. Opening maps the
/// file and checks every count, length and offset against its size. A tensor type we do not read is
/// an Error naming tensor and type. Views are valid while this reader or file() lives. Thread-safe
/// once open.
class GgufReader {
 public:
  using Metadata = std::map<std::string, GgufValue, std::less<>>;
  using Tensors = std::map<std::string, GgufTensor, std::less<>>;

  explicit GgufReader(const std::filesystem::path& path);

  bool contains(std::string_view key) const { return metadata_.contains(key); }
  const Metadata& metadata() const { return metadata_; }
  /// The value of a key that must be there. For T see convert(). Errors name the file, the key, the
  /// expected kind and the value.
  template <class T>
  T require(std::string_view key) const {
    const GgufValue* value = find(key);
    std::optional<T> converted = value == nullptr ? std::nullopt : convert<T>(*value);
    if (!converted) refuse(key, detail::expected<T>());
    return std::move(*converted);
  }
  /// The value of a key, or `fallback` if the key is missing. A value of another kind is an Error.
  template <class T>
  T get_or(std::string_view key, T fallback) const {
    return contains(key) ? require<T>(key) : fallback;
  }

  /// Sorted.
  const std::vector<std::string>& names() const { return names_; }
  bool contains_tensor(std::string_view name) const { return tensors_.contains(name); }
  /// An unknown name is an Error.
  const GgufTensor& tensor(std::string_view name) const;

  /// The mapped file. Hold it to keep strings and tensors when the reader goes.
  const std::shared_ptr<const MappedFile>& file() const { return file_; }

 private:
  const GgufValue* find(std::string_view key) const;
  [[noreturn]] void refuse(std::string_view key, std::string_view expected) const;

  std::shared_ptr<const MappedFile> file_;
  Metadata metadata_;
  Tensors tensors_;
  std::vector<std::string> names_;
};

}  // namespace dualpath::data
