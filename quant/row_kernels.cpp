#include "quant/row_kernels.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>

#include "data/base/error.h"
#include "modules/kernel_call.h"
#include "quant/arithmetic.h"
#include "quant/kernels/rows.h"

namespace dualpath::quant {
namespace {

using at::Tensor;
using modules::element_of;
using modules::row_at;

/// Calls kernel(begin, end) on ranges of rows from several threads.
template <class Kernel>
void for_rows(std::int64_t rows, std::int64_t columns, const Kernel& kernel) {
  constexpr std::int64_t kGrain = 1 << 15;  // elements a thread takes at a time
  at::parallel_for(0, rows, std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(1, columns)),
                   kernel);
}

const float* floats(const Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr<float>() : nullptr;
}

template <class Sum>
void scale_on_cpu(const Tensor& sums, const Tensor& input_scale, const Tensor& weight_scale,
                  const Tensor& bias, const Tensor& y) {
  const std::int64_t columns = sums.size(1);
  for_rows(sums.size(0), columns, [&](std::int64_t begin, std::int64_t end) {
    scale_sum_rows_cpu(sums.const_data_ptr<Sum>() + begin * columns, end - begin, columns,
                       floats(input_scale) + begin, floats(weight_scale), floats(bias),
                       element_of(y.scalar_type()), row_at(y, begin));
  });
}

}  // namespace

void quantize_weight_rows(const Tensor& x, const std::string& site, const Tensor& codes,
                          const Tensor& scale) {
  const Tensor source = x.contiguous();
  const std::int64_t columns = source.size(1);
  auto* values = codes.mutable_data_ptr<std::int8_t>();
  auto* scales = scale.mutable_data_ptr<float>();
  std::atomic<std::int64_t> non_finite = 0;
  for_rows(source.size(0), columns, [&](std::int64_t begin, std::int64_t end) {
    non_finite += quantize_weight_rows_cpu(floats(source) + begin * columns, end - begin, columns,
                                           values + begin * columns, scales + begin);
  });
  if (non_finite > 0)
    throw Error("{}: {} of {} values are not finite", site, non_finite.load(), x.numel());
}

void dequantize_rows(const Tensor& codes, const Tensor& scale, const Tensor& y) {
  const bool is_unsigned = codes.scalar_type() == at::kByte;
  if (!codes.is_cpu()) {
    const Tensor values = codes.to(at::kFloat).sub_(is_unsigned ? kUnsignedShift : 0);
    y.copy_(scale.defined() ? values * scale.unsqueeze(1) : values);
    return;
  }
  for_rows(codes.size(0), codes.size(1), [&](std::int64_t begin, std::int64_t end) {
    const CodeRows in{row_at(codes, begin), is_unsigned, end - begin, codes.size(1)};
    dequantize_rows_cpu(in, scale.defined() ? floats(scale) + begin : nullptr,
                        element_of(y.scalar_type()), row_at(y, begin));
  });
}

Tensor scale_sum_rows(const Tensor& sums, const Tensor& input_scale, const Tensor& weight_scale,
                      const Tensor& bias, at::ScalarType dtype) {
  if (!sums.is_cpu()) {
    const Tensor scales = input_scale.unsqueeze(1) * weight_scale;
    const Tensor scaled = sums.to(at::kFloat) * scales;
    return (bias.defined() ? scaled + bias : scaled).to(dtype);
  }
  const Tensor y = at::empty(sums.sizes(), sums.options().dtype(dtype));
  if (sums.scalar_type() == at::kInt) {
    scale_on_cpu<std::int32_t>(sums, input_scale, weight_scale, bias, y);
  } else {
    scale_on_cpu<float>(sums, input_scale, weight_scale, bias, y);
  }
  return y;
}

}  // namespace dualpath::quant
