#include "quant/execute/integer_gradient.h"

#include <ATen/ATen.h>

#include "quant/ops/integer_linear.h"
#include "quant/ops/mask_gradient.h"
#include "quant/ops/quantize_gradients.h"
#include "quant/ops/quantize_rows.h"

namespace dualpath::quant {

using torch::Tensor;

namespace {

/// The most products of two codes, of at most 127 and 128, whose sum fits into an int32.
constexpr std::int64_t kMostProducts = 131'071;

/// The largest power of two, but at most 1, by which no sum of so many products leaves float16.
float fitting_scale(std::int64_t products) {
  constexpr float kMost = 0x1p15f, kLargestProduct = 0x1p14f;
  float scale = 1.0f;
  while (static_cast<float>(products) * kLargestProduct * scale > kMost) scale *= 0.5f;
  return scale;
}

}  // namespace

TransposedCodes transposed_codes(const std::vector<QuantizedWeight>& weights) {
  std::vector<Tensor> codes, scales;
  for (const QuantizedWeight& weight : weights) {
    codes.push_back(weight.grid->codes);
    scales.push_back(weight.grid->scale);
  }
  const Tensor transposed = at::cat(codes).t().contiguous(), scale = at::cat(scales);
  const std::int64_t inputs = transposed.size(0), outputs = transposed.size(1);
  TORCH_CHECK(outputs <= kMostProducts, outputs,
              " outputs of one input: their sum could leave int32");
  const GridWeight matrix{.codes = transposed,
                          .scale = at::full({inputs}, fitting_scale(outputs), scale.options())};
  return {.matrix = prepare(matrix, weights.front().prepared.kind), .scale = scale};
}

Tensor integer_input_gradient(const std::vector<Tensor>& grads, const TransposedCodes& weights,
                              const Tensor& in_range) {
  const PreparedWeight& matrix = weights.matrix;
  const ScaledCodes codes = quantize_gradients(grads, weights.scale, takes_unsigned(matrix.kind));
  const Tensor grad = integer_linear(codes.values, /*input_scale=*/1.0f, matrix, /*bias=*/{},
                                     grads.front().scalar_type());
  scale_and_mask(grad, codes.scale / matrix.scale[0], in_range);
  return grad;
}

}  // namespace dualpath::quant
