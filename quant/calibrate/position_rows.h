#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "modules/network/state.h"

namespace dualpath::quant {

// Rows of a tensor [..., C], found by the positions of a stream [B, T] that they stand for.

/// Marks all rows: [N] bool, all true.
at::Tensor all_rows(const at::Tensor& x);

/// Marks the real rows: [N] bool, true if the row's position is in the mask. x is [B, T, ..., C] or
/// [B * T, C]. All rows are real if x has positions of its own (the distances of a relative
/// attention) or mask is undefined.
at::Tensor real_rows(const at::Tensor& x, const at::Tensor& mask);

/// The real rows that stand for one modality.
struct ModalityRows {
  modules::Modality modality;
  at::Tensor rows;  ///< [N] bool
};
/// Splits the real rows of x by what they stand for. x is read by a stage of that stream. A tower's
/// rows are all of its modality; the decoder's are as the state's `kinds` say.
std::vector<ModalityRows> rows_by_modality(const at::Tensor& x, const modules::State& state,
                                           modules::Modality stream);

}  // namespace dualpath::quant
