#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace dualpath::data::testing {

// The pieces of a .gguf file made by hand, right or wrong; concatenate them.

template <class T>
std::string raw(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

inline std::string text(std::string_view content) {
  return raw<std::uint64_t>(content.size()).append(content);
}

inline std::string header(std::uint64_t tensors, std::uint64_t pairs, std::uint32_t version = 3) {
  return "GGUF" + raw(version) + raw(tensors) + raw(pairs);
}

/// kind as the format numbers it: 0 uint8 … 12 float64.
inline std::string pair(std::string_view key, std::uint32_t kind, const std::string& value) {
  return text(key) + raw(kind) + value;
}

inline std::string array(std::uint32_t kind, std::uint64_t count, const std::string& elements) {
  return raw(kind) + raw(count) + elements;
}

/// dimensions: the innermost first, as in the file.
inline std::string tensor(std::string_view name, const std::vector<std::uint64_t>& dimensions,
                          std::uint32_t type, std::uint64_t offset) {
  std::string bytes = text(name) + raw(static_cast<std::uint32_t>(dimensions.size()));
  for (const std::uint64_t dimension : dimensions) bytes += raw(dimension);
  return bytes + raw(type) + raw(offset);
}

inline std::string padded(std::string bytes, std::size_t multiple = 32) {
  bytes.resize((bytes.size() + multiple - 1) / multiple * multiple);
  return bytes;
}

}  // namespace dualpath::data::testing
