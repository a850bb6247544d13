#pragma once

#include <cstdint>

#include "data/formats/element.h"

namespace dualpath::modules {

/// Rows of one window's attention scores, overwritten. values: [rows, keys] of the element type. A
/// row belongs to query `row % queries` of a block. It sees the first `first_visible + row %
/// queries` keys if the attention is causal, else the first `first_visible`; never more than the
/// `real` ones.
struct ScoreRows {
  data::Element element;
  void* values;
  std::int64_t begin, rows;  ///< rows begin .. begin + rows; values points at the first of all
  std::int64_t queries, keys, first_visible, real;
  bool causal = true;
};

/// softmax(scale * score) over the keys that a row sees, 0 for the others; in float32, then one
/// cast.
void masked_softmax_cpu(const ScoreRows& scores, float scale);

/// Turns the weights' gradient into the scores': w * (g - sum(w * g)) * scale. weights: the forward
/// pass's results, [rows, keys].
void masked_softmax_backward_cpu(const ScoreRows& gradient, const void* weights, float scale);

}  // namespace dualpath::modules
