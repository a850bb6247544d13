#pragma once

#include <cstdint>

#include "data/formats/element.h"

namespace dualpath::modules {

/// Rows of one window's attention scores, overwritten. values: [rows, keys] of the element type. A
/// row belongs to query `row % queries` of a block and sees the first `first_visible + row %
/// queries` keys if the attention is causal, else the first `first_visible`; never more than the
/// `real` ones.
struct ScoreRows {
  data::Element element;
  void* values;
  std::int64_t begin, rows;  ///< the rows begin .. begin + rows; values points at the first of all
  std::int64_t queries, keys, first_visible, real;
  bool causal = true;
};

/// softmax(scale * score) over the keys a row sees, 0 for the others; in float32, then one cast.
void masked_softmax_cpu(const ScoreRows& scores, float scale);

/// gradient: of the weights, becomes that of the scores: w * (g - sum(w * g)) * scale. weights:
/// what the forward pass left, [rows, keys].
void masked_softmax_backward_cpu(const ScoreRows& gradient, const void* weights, float scale);

}  // namespace dualpath::modules
