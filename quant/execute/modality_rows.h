#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "modules/network/state.h"

namespace dualpath::quant {

/// Splits x's rows by modality, calls of_rows(rows, modality) on each part, and returns the results
/// in x's row order. x: [..., C]; kinds: int8 on the CPU, the Modality of each row; if undefined,
/// all rows are text. rows: [n, C], or x itself if all have one modality. of_rows returns [n, out]
/// each, or
/// [..., out] for x. Differentiable in x.
std::vector<at::Tensor> by_modality(
    const at::Tensor& x, const at::Tensor& kinds,
    const std::function<std::vector<at::Tensor>(const at::Tensor&, modules::Modality)>& of_rows);

}  // namespace dualpath::quant
