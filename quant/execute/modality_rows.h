#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "modules/network/state.h"

namespace dualpath::quant {

/// of_rows(rows, modality) of the rows of each modality, its results put together in the order of
/// x. x: [..., C]; kinds: int8, the Modality of each row, undefined: all of them text; rows: [n,
/// C], or x itself where all are of one; of_rows' results: [n, out] or, of x, [..., out].
/// Differentiable in x.
std::vector<at::Tensor> by_modality(
    const at::Tensor& x, const at::Tensor& kinds,
    const std::function<std::vector<at::Tensor>(const at::Tensor&, modules::Modality)>& of_rows);

}  // namespace dualpath::quant
