#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace dualpath::trainer {

// The keys of the store over which processes meet.

/// Stands before every key of a run's attempt.
inline std::string store_prefix(std::string_view run, std::string_view restart) {
  return fmt::format("dualpath/{}/{}", run, restart);
}

inline std::string store_key(const char* kind, int rank) {
  return fmt::format("{}/{}", kind, rank);
}

/// The key under which a process leaves its reason. The reason begins with kOwn if it is the
/// process's own, with kLost if it lost another one.
inline std::string left_key(int rank) { return store_key("left", rank); }
inline constexpr char kOwn = 'E', kLost = 'L';

}  // namespace dualpath::trainer
