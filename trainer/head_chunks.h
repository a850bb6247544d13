#pragma once

#include <algorithm>
#include <cstdint>

#include "modules/network.h"

namespace dualpath::trainer {

/// Rows of the head at a time: times a vocabulary of 50 000 in float32 they stay in the cache.
inline constexpr std::int64_t kChunkRows = 64;

/// Calls visit(begin, size) for each chunk of rows: [tokens, vocabulary] never exists whole.
template <class Visit>
void for_each_chunk(std::int64_t rows, const Visit& visit) {
  for (std::int64_t begin = 0; begin < rows; begin += kChunkRows)
    visit(begin, std::min(kChunkRows, rows - begin));
}

/// float32, whatever the logits' dtype: [n, vocabulary].
inline at::Tensor log_probabilities(const at::Tensor& logits) {
  return at::log_softmax(logits, -1, at::kFloat);
}

}  // namespace dualpath::trainer
