#pragma once

#include <cstdint>

#include "data/formats/element.h"

namespace dualpath::modules {

/// Rows of attention scores, overwritten. values: [rows, keys] of the element type. A row belongs
/// to query `row % queries` of a block and sees the first `first_visible + row % queries` keys if
/// the attention is causal, else the first `first_visible`; of those never more than its window's
/// `lengths`.
struct ScoreRows {
  data::Element element;
  void* values;
  std::int64_t begin, rows;  ///< the rows begin .. begin + rows; values points at the first of all
  std::int64_t queries, keys, first_visible;
  bool causal = true;
  const std::int64_t* lengths = nullptr;  ///< real keys of each window; null: all are
  std::int64_t rows_per_window = 1;
};

/// softmax(scale * score) over the keys a row sees, 0 for the others; in float32, then one cast.
void masked_softmax_cpu(const ScoreRows& scores, float scale);

/// gradient: of the weights, becomes that of the scores: w * (g - sum(w * g)) * scale. weights:
/// what the forward pass left, [rows, keys].
void masked_softmax_backward_cpu(const ScoreRows& gradient, const void* weights, float scale);

}  // namespace dualpath::modules
