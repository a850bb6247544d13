#pragma once

#include <cstdint>

#include "data/base/error.h"
#include "data/formats/json.h"

namespace dualpath::modules {

// Bounds that the configurations of encoders share.

inline constexpr data::IntegerRange kEncoderSize{.low = 1, .high = 1 << 20};
inline constexpr data::IntegerRange kEncoderPixels{.low = 1, .high = 1 << 14};
inline constexpr data::IntegerRange kEncoderCount{.low = 1, .high = 1 << 12};

inline void check_heads(const data::JsonObject& config, std::int64_t width, std::int64_t heads) {
  if (width % heads != 0)
    throw Error("{}: a width of {} is not divided by its {} heads", config.where(), width, heads);
}

}  // namespace dualpath::modules
