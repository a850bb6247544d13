#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "modules/network/state.h"

namespace dualpath::quant {

// Which rows of a tensor [..., C] stand for which positions of a stream [B, T].

/// [N] bool, all true.
at::Tensor all_rows(const at::Tensor& x);

/// [N] bool: those of positions where mask is true, where x is [B, T, ..., C] or [B * T, C]; all
/// where it has positions of its own (the distances of a relative attention), or mask is undefined.
at::Tensor real_rows(const at::Tensor& x, const at::Tensor& mask);

/// The real rows that stand for one modality.
struct ModalityRows {
  modules::Modality modality;
  at::Tensor rows;  ///< [N] bool
};
/// Those of x, which a stage of that stream reads, by what they stand for: in a tower all the same,
/// in the decoder as the state's `kinds` say.
std::vector<ModalityRows> rows_by_modality(const at::Tensor& x, const modules::State& state,
                                           modules::Modality stream);

}  // namespace dualpath::quant
