#pragma once

#include <cstdint>
#include <string>

namespace dualpath {

/// Writes bytes for people: "9.6 GB", "134.5 MB".
std::string bytes_text(double bytes);
inline std::string bytes_text(std::int64_t bytes) { return bytes_text(static_cast<double>(bytes)); }

}  // namespace dualpath
