#pragma once

#include <algorithm>
#include <cstdint>

#include "modules/network.h"

namespace dualpath::trainer {

/// Rows of the head at a time: enough for a product that does not wait for the table, few enough
/// that their logits over 150 000 words stay below 40 MB in half precision.
inline constexpr std::int64_t kChunkRows = 128;

/// Calls visit(begin, size) for each chunk of rows: [tokens, vocabulary] never exists whole.
template <class Visit>
void for_each_chunk(std::int64_t rows, const Visit& visit) {
  for (std::int64_t begin = 0; begin < rows; begin += kChunkRows)
    visit(begin, std::min(kChunkRows, rows - begin));
}

}  // namespace dualpath::trainer
