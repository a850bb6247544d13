#pragma once

#include <algorithm>
#include <cstdint>

#include "modules/network/network.h"
#include "modules/weights/weight_store.h"

namespace dualpath::trainer {

/// Rows of the head at a time. They are enough for a product that does not wait for the table.
/// Their logits over 150 000 words stay below 80 MB in half precision.
inline constexpr std::int64_t kChunkRows = 256;
/// Rows at a time if the table is trained: its gradient, as large as itself, is added up once a
/// chunk.
inline constexpr std::int64_t kTrainedChunkRows = 512;

inline std::int64_t chunk_rows(const modules::Head& head, const modules::WeightStore& weights) {
  return weights.is_trained(head.ref.weight_name()) ? kTrainedChunkRows : kChunkRows;
}

/// Calls visit(begin, size) for each chunk of rows: [tokens, vocabulary] never exists whole.
template <class Visit>
void for_each_chunk(std::int64_t rows, std::int64_t at_a_time, const Visit& visit) {
  for (std::int64_t begin = 0; begin < rows; begin += at_a_time)
    visit(begin, std::min(at_a_time, rows - begin));
}

}  // namespace dualpath::trainer
