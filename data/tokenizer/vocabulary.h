#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "data/formats/json.h"

namespace dualpath::data {

/// Lets a map with std::string keys be asked with a string_view.
struct StringHash : std::hash<std::string_view> {
  using is_transparent = void;
};
template <class Value>
using StringMap = std::unordered_map<std::string, Value, StringHash, std::equal_to<>>;

/// Token → id. Ordinary tokens are written in the byte alphabet, added ones in plain text.
using Vocabulary = StringMap<std::int32_t>;

/// The ids that a file may give: a hundred times today's largest vocabularies, and safe to allocate
/// for.
inline constexpr IntegerRange kTokenIds{.low = 0, .high = (1 << 24) - 1};

}  // namespace dualpath::data
