#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace dualpath::data::testing {

/// A .safetensors file made by hand, right or wrong.
inline std::string safetensors_bytes(std::string_view header, std::string_view data) {
  const std::uint64_t length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes.append(header).append(data);
}

}  // namespace dualpath::data::testing
