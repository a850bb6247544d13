#pragma once

#include <cstdint>

#include "data/formats/element.h"

namespace dualpath::trainer {

/// Logits of some rows, from both paths.
struct HeadRows {
  data::Element element;
  const void* reference;        ///< [rows, words], or null if there is none
  const void* quantized;        ///< [rows, words]
  const std::int64_t* targets;  ///< [rows], each in [0, words)
  std::int64_t rows, words;
};

/// Losses of one row. p is softmax(reference), q is softmax(quantized), both in float32.
struct RowLoss {
  float kl;       ///< sum of p * log(p / q); 0 if there is no reference
  float nll;      ///< -log q[target]
  float correct;  ///< 1 if the target has the largest q
  float agreed;   ///< 1 if p and q are largest at the same word; 0 if there is no reference
};

/// Weights of the two terms in the gradient.
struct LossWeights {
  float kl = 0.0f, ce = 0.0f;
};

/// Losses of all rows. If gradient is given ([rows, words], may be `quantized` itself), also d
/// (weights.kl * kl + weights.ce * nll) / d quantized, of the element type. Holds nothing of a
/// row's size.
void head_loss_cpu(const HeadRows& in, LossWeights weights, RowLoss* losses, void* gradient);

/// head_loss_cpu() on device memory. stream is a cudaStream_t.
void head_loss_cuda(const HeadRows& in, LossWeights weights, RowLoss* losses, void* gradient,
                    void* stream);

}  // namespace dualpath::trainer
