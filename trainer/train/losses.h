#pragma once

#include <torch/types.h>

#include "modules/network/network.h"
#include "trainer/recipe/options.h"
#include "trainer/train/head_chunks.h"

namespace dualpath::trainer {

/// Sums over counted tokens, float64 scalars on the rows' device: the host reads them with all else
/// at the step's end. The caller divides them by the global count.
struct HeadLosses {
  torch::Tensor kl, ce;
  torch::Tensor weighted;  ///< sum of the weighted terms; undefined unless targets have weights
};

/// The inputs that both heads are compared on. Rows: [N, H], the last stage's states. Targets: [N]
/// int64.
struct HeadInputs {
  modules::Executor* reference = nullptr;  ///< null if no KL is wanted (the control)
  torch::Tensor reference_rows = {};
  modules::Executor* quantized = nullptr;
  torch::Tensor quantized_rows = {};
  torch::Tensor targets = {};
  std::int64_t chunk_rows = kChunkRows;  ///< rows at a time
  /// Weights of the targets' losses: [N] float32; if undefined, all are 1.
  torch::Tensor target_weights = {};
};

/// The sums over all rows, and the gradient of the weighted losses in the rows.
struct HeadGradient {
  HeadLosses losses;
  torch::Tensor rows_gradient;  ///< [N, H]
};

/// Computes KL(reference || quantized) and cross-entropy over all rows. Works in chunks, so
/// [tokens, vocabulary] never exists whole, and makes the gradient in the same pass. `kl` and `ce`
/// weigh the terms (already divided by the global count). Gradients of trained tensors inside the
/// head are accumulated; the rows' own is returned.
HeadGradient head_losses(const modules::Head& head, const HeadInputs& inputs, double kl, double ce);

}  // namespace dualpath::trainer
