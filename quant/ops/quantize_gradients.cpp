#include "quant/ops/quantize_gradients.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <limits>

#include "modules/ops/kernel_call.h"
#include "modules/ops/on_device.h"
#include "quant/kernels/quantize.h"
#include "quant/kernels/scale_columns.h"

namespace dualpath::quant {
namespace {

using at::Tensor;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// Scales the columns of a row of several tensors side by side. y: as many floats as factors.
void scale_columns(const std::vector<Tensor>& grads, std::int64_t row, const float* factors,
                   float* y) {
  for (const Tensor& grad : grads) {
    const std::int64_t width = grad.size(1);
    scale_columns_cpu(modules::element_of(grad.scalar_type()), modules::row_at(grad, row), width,
                      factors, y);
    factors += width;
    y += width;
  }
}

/// Quantizes a few rows at a time, so that they stay in the cache.
void quantize_gradients_on_cpu(const std::vector<Tensor>& any_grads, const Tensor& factors,
                               Grid like, const ScaledCodes& codes) {
  constexpr std::int64_t kRows = 8;
  std::vector<Tensor> grads;
  for (const Tensor& grad : any_grads) grads.push_back(grad.contiguous());
  const std::int64_t rows = codes.values.size(0), width = codes.values.size(1);
  const auto* factor = factors.const_data_ptr<float>();
  auto* values = modules::data_or_null<std::int8_t>(codes.values);
  auto* scale = codes.scale.mutable_data_ptr<float>();
  std::atomic<std::int64_t> non_finite = 0;
  const auto quantize_some = [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> scaled(static_cast<std::size_t>(kRows * width));
    for (std::int64_t first = begin; first < end; first += kRows) {
      const std::int64_t count = std::min(kRows, end - first);
      for (std::int64_t i = 0; i < count; ++i)
        scale_columns(grads, first + i, factor, scaled.data() + i * width);
      non_finite += quantize_rows_cpu(data::Element::kFloat32, scaled.data(), count, width, like,
                                      values + first * width, scale + first);
    }
  };
  at::parallel_for(0, rows, modules::rows_of_grain(width), quantize_some);
  if (non_finite > 0) codes.scale.fill_(kNaN);
}

/// Scaled columns side by side, in float32.
Tensor scaled_columns(const std::vector<Tensor>& grads, const Tensor& factors) {
  Tensor all = at::empty({grads.front().size(0), factors.size(0)}, factors.options());
  std::int64_t first = 0;
  for (const Tensor& grad : grads) {
    const std::int64_t width = grad.size(1);
    Tensor part = all.narrow(1, first, width);
    at::mul_out(part, grad, factors.narrow(0, first, width));
    first += width;
  }
  return all;
}

}  // namespace

ScaledCodes quantize_gradients(const std::vector<Tensor>& grads, const Tensor& factors,
                               bool unsigned_codes) {
  const Grid like = token_grid(unsigned_codes);
  const std::int64_t rows = grads.front().size(0);
  const at::TensorOptions bytes = factors.options().dtype(unsigned_codes ? at::kByte : at::kChar);
  const ScaledCodes codes{
      at::empty({rows, factors.size(0)}, bytes), at::empty({rows}, factors.options()), {}};
  const auto on_cuda = [&](void* stream) {
    const Tensor x = scaled_columns(grads, factors);
    const Tensor non_finite = at::zeros({1}, x.options().dtype(at::kInt));
    quantize_rows_cuda(data::Element::kFloat32, x.const_data_ptr(), rows, x.size(1), like,
                       modules::data_or_null<std::int8_t>(codes.values),
                       codes.scale.mutable_data_ptr<float>(),
                       non_finite.mutable_data_ptr<std::int32_t>(), stream);
    codes.scale.masked_fill_(non_finite > 0, kNaN);  // the host does not wait for the count
  };
  modules::on_device(
      factors, [&] { quantize_gradients_on_cpu(grads, factors, like, codes); }, on_cuda);
  return codes;
}

}  // namespace dualpath::quant
