#include "quant/ops/tensor_kernels.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <limits>

#include "modules/ops/kernel_call.h"
#include "modules/ops/norm_call.h"
#include "modules/weights/not_finite.h"
#include "quant/kernels/dequantize.h"
#include "quant/kernels/mask_gradient.h"
#include "quant/kernels/norm_quantize.h"
#include "quant/kernels/quantize.h"
#include "quant/kernels/scale_columns.h"
#include "quant/kernels/scale_gradient.h"

namespace dualpath::quant {
namespace {

using at::Tensor;
using modules::element_at;
using modules::element_of;
using modules::kGrain;
using modules::rows_of_grain;

template <class T>
T* data(const Tensor& tensor) {
  return tensor.defined() ? static_cast<T*>(tensor.data_ptr()) : nullptr;
}

void require_finite(std::int64_t non_finite, const Tensor& x, const std::string& site) {
  if (non_finite > 0) modules::throw_not_finite(site, non_finite, x);
}

Grid token_grid(bool unsigned_codes) {
  return unsigned_codes ? unsigned_activation_grid(1.0f) : activation_grid(1.0f);
}

Tensor empty_codes(const Tensor& like, Grid grid) {
  return at::empty(like.sizes(), like.options().dtype(grid.qmin < 0 ? at::kChar : at::kByte));
}

Tensor one_a_row(const Tensor& x, at::ScalarType dtype) {
  return at::empty({x.size(0)}, x.options().dtype(dtype));
}

/// Calls kernel(begin, end) from several threads, begin a multiple of 64: threads share no byte of
/// a mask, and no line of the cache.
template <class Kernel>
void for_elements(std::int64_t n, const Kernel& kernel) {
  constexpr std::int64_t kUnit = 64;
  at::parallel_for(0, (n + kUnit - 1) / kUnit, kGrain / kUnit,
                   [&](std::int64_t begin, std::int64_t end) {
                     kernel(begin * kUnit, std::min(end * kUnit, n));
                   });
}

std::int64_t quantize_on_cpu(const Tensor& x, Grid grid, const Codes& codes) {
  const data::Element element = element_of(x.scalar_type());
  auto* values = data<std::int8_t>(codes.values);
  auto* in_range = data<std::uint8_t>(codes.in_range);
  std::atomic<std::int64_t> non_finite = 0;
  for_elements(x.numel(), [&](std::int64_t begin, std::int64_t end) {
    non_finite += quantize_cpu(element, element_at(x, begin), end - begin, grid, values + begin,
                               in_range ? in_range + begin / 8 : nullptr);
  });
  return non_finite;
}

/// x: [rows, width], contiguous.
std::int64_t quantize_rows_on_cpu(const Tensor& x, Grid like, const ScaledCodes& codes) {
  const data::Element element = element_of(x.scalar_type());
  const std::int64_t width = x.size(1);
  auto* values = data<std::int8_t>(codes.values);
  auto* scale = data<float>(codes.scale);
  std::atomic<std::int64_t> non_finite = 0;
  at::parallel_for(0, x.size(0), rows_of_grain(width), [&](std::int64_t begin, std::int64_t end) {
    non_finite += quantize_rows_cpu(element, modules::row_at(x, begin), end - begin, width, like,
                                    values + begin * width, scale + begin);
  });
  return non_finite;
}

/// A row of several tensors side by side, its columns scaled. y: as many floats as factors.
void scale_columns(const std::vector<Tensor>& grads, std::int64_t row, const float* factors,
                   float* y) {
  for (const Tensor& grad : grads) {
    const std::int64_t width = grad.size(1);
    scale_columns_cpu(element_of(grad.scalar_type()), modules::row_at(grad, row), width, factors,
                      y);
    factors += width;
    y += width;
  }
}

/// A few rows at a time, so that they stay in the cache.
std::int64_t quantize_gradients_on_cpu(const std::vector<Tensor>& any_grads, const Tensor& factors,
                                       Grid like, const ScaledCodes& codes) {
  constexpr std::int64_t kRows = 8;
  std::vector<Tensor> grads;
  for (const Tensor& grad : any_grads) grads.push_back(grad.contiguous());
  const std::int64_t rows = codes.values.size(0), width = codes.values.size(1);
  auto* values = data<std::int8_t>(codes.values);
  auto* scale = data<float>(codes.scale);
  std::atomic<std::int64_t> non_finite = 0;
  at::parallel_for(0, rows, rows_of_grain(width), [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> scaled(static_cast<std::size_t>(kRows * width));
    for (std::int64_t first = begin; first < end; first += kRows) {
      const std::int64_t count = std::min(kRows, end - first);
      for (std::int64_t i = 0; i < count; ++i)
        scale_columns(grads, first + i, data<const float>(factors), scaled.data() + i * width);
      non_finite += quantize_rows_cpu(data::Element::kFloat32, scaled.data(), count, width, like,
                                      values + first * width, scale + first);
    }
  });
  return non_finite;
}

/// x: [rows, width], contiguous.
std::int64_t quantize_asymmetric_on_cpu(const Tensor& x, int num_bits, const ScaledCodes& codes) {
  const data::Element element = element_of(x.scalar_type());
  const std::int64_t width = x.size(1);
  auto* values = data<std::int8_t>(codes.values);
  auto* scale = data<float>(codes.scale);
  auto* zero_point = data<std::int8_t>(codes.zero_point);
  std::atomic<std::int64_t> non_finite = 0;
  at::parallel_for(0, x.size(0), rows_of_grain(width), [&](std::int64_t begin, std::int64_t end) {
    non_finite += quantize_asymmetric_rows_cpu(element, modules::row_at(x, begin), end - begin,
                                               width, num_bits, values + begin * width,
                                               scale + begin, zero_point + begin);
  });
  return non_finite;
}

#ifdef DUALPATH_CUDA
std::int64_t quantize_on_cuda(const Tensor& x, Grid grid, const Codes& codes) {
  const Tensor non_finite = at::zeros({1}, x.options().dtype(at::kInt));
  quantize_cuda(element_of(x.scalar_type()), x.const_data_ptr(), x.numel(), grid,
                data<std::int8_t>(codes.values), data<std::uint8_t>(codes.in_range),
                data<std::int32_t>(non_finite), modules::cuda_stream(x));
  return non_finite.item<std::int32_t>();
}

std::int64_t quantize_rows_on_cuda(const Tensor& x, Grid like, const ScaledCodes& codes) {
  const Tensor non_finite = at::zeros({1}, x.options().dtype(at::kInt));
  quantize_rows_cuda(element_of(x.scalar_type()), x.const_data_ptr(), x.size(0), x.size(1), like,
                     data<std::int8_t>(codes.values), data<float>(codes.scale),
                     data<std::int32_t>(non_finite), modules::cuda_stream(x));
  return non_finite.item<std::int32_t>();
}

std::int64_t quantize_asymmetric_on_cuda(const Tensor& x, int num_bits, const ScaledCodes& codes) {
  const Tensor non_finite = at::zeros({1}, x.options().dtype(at::kInt));
  quantize_asymmetric_rows_cuda(element_of(x.scalar_type()), x.const_data_ptr(), x.size(0),
                                x.size(1), num_bits, data<std::int8_t>(codes.values),
                                data<float>(codes.scale), data<std::int8_t>(codes.zero_point),
                                data<std::int32_t>(non_finite), modules::cuda_stream(x));
  return non_finite.item<std::int32_t>();
}
#endif

/// Side by side, in float32.
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

/// x: [rows, width], contiguous.
ScaledCodes quantize_asymmetric_rows(const Tensor& x, int num_bits, const std::string& site) {
  TORCH_CHECK(num_bits <= kMostAsymmetricBits, site, ": ", num_bits, " asymmetric bits");
  const ScaledCodes codes{empty_codes(x, weight_grid(1.0f)), one_a_row(x, at::kFloat),
                          one_a_row(x, at::kChar)};
#ifdef DUALPATH_CUDA
  const std::int64_t non_finite = x.is_cuda() ? quantize_asymmetric_on_cuda(x, num_bits, codes)
                                              : quantize_asymmetric_on_cpu(x, num_bits, codes);
#else
  const std::int64_t non_finite = quantize_asymmetric_on_cpu(x, num_bits, codes);
#endif
  require_finite(non_finite, x, site);
  return codes;
}

/// x: [rows, width], contiguous. Writes codes; returns how many values were not finite.
std::int64_t quantize_rows(const Tensor& x, Grid like, const ScaledCodes& codes) {
#ifdef DUALPATH_CUDA
  if (x.is_cuda()) return quantize_rows_on_cuda(x, like, codes);
#endif
  return quantize_rows_on_cpu(x, like, codes);
}

ScaledCodes quantize_rows(const Tensor& x, Grid like, const std::string& site) {
  const ScaledCodes codes{empty_codes(x, like), one_a_row(x, at::kFloat), {}};
  require_finite(quantize_rows(x, like, codes), x, site);
  return codes;
}

}  // namespace

Codes quantize(const Tensor& x, Grid grid, const std::string& site, bool want_in_range) {
  const Tensor source = x.contiguous();
  Codes codes{empty_codes(source, grid), Tensor()};
  if (want_in_range)
    codes.in_range = at::empty({(source.numel() + 7) / 8}, source.options().dtype(at::kByte));
#ifdef DUALPATH_CUDA
  const std::int64_t non_finite = source.is_cuda() ? quantize_on_cuda(source, grid, codes)
                                                   : quantize_on_cpu(source, grid, codes);
#else
  const std::int64_t non_finite = quantize_on_cpu(source, grid, codes);
#endif
  require_finite(non_finite, source, site);
  return codes;
}

void mask_gradient(const Tensor& grad, const Tensor& in_range) {
  TORCH_CHECK(grad.is_contiguous(), "a gradient with gaps");
  const data::Element element = element_of(grad.scalar_type());
  const auto* bits = data<const std::uint8_t>(in_range);
#ifdef DUALPATH_CUDA
  if (grad.is_cuda()) {
    mask_gradient_cuda(element, grad.const_data_ptr(), bits, grad.numel(), grad.data_ptr(),
                       modules::cuda_stream(grad));
    return;
  }
#endif
  for_elements(grad.numel(), [&](std::int64_t begin, std::int64_t end) {
    mask_gradient_cpu(element, element_at(grad, begin), bits + begin / 8, end - begin,
                      element_at(grad, begin));
  });
}

void scale_and_mask(const Tensor& grad, const Tensor& scale, const Tensor& in_range) {
  TORCH_CHECK(grad.is_contiguous(), "a gradient with gaps");
  if (grad.is_cuda()) {
    grad.mul_(scale.unsqueeze(1));
    if (in_range.defined()) mask_gradient(grad, in_range);
    return;
  }
  const std::int64_t width = grad.size(1);
  at::parallel_for(
      0, grad.size(0), rows_of_grain(width), [&](std::int64_t begin, std::int64_t end) {
        scale_gradient_cpu({element_of(grad.scalar_type()), modules::row_at(grad, begin),
                            end - begin, width, data<const float>(scale) + begin,
                            data<const std::uint8_t>(in_range), begin * width});
      });
}

ScaledCodes quantize_tokens(const Tensor& x, bool unsigned_codes, const std::string& site) {
  const Tensor rows = x.reshape({-1, x.size(-1)}).contiguous();
  ScaledCodes codes = quantize_rows(rows, token_grid(unsigned_codes), site);
  codes.values = codes.values.view(x.sizes());
  return codes;
}

ScaledCodes quantize_gradients(const std::vector<Tensor>& grads, const Tensor& factors,
                               bool unsigned_codes) {
  const Grid like = token_grid(unsigned_codes);
  const std::int64_t rows = grads.front().size(0);
  const at::TensorOptions bytes = factors.options().dtype(unsigned_codes ? at::kByte : at::kChar);
  ScaledCodes codes{
      at::empty({rows, factors.size(0)}, bytes), at::empty({rows}, factors.options()), {}};
  const std::int64_t non_finite = factors.is_cuda()
                                      ? quantize_rows(scaled_columns(grads, factors), like, codes)
                                      : quantize_gradients_on_cpu(grads, factors, like, codes);
  if (non_finite > 0) codes.scale.fill_(std::numeric_limits<float>::quiet_NaN());
  return codes;
}

ScaledCodes quantize_by(const QuantArgs& args, const Tensor& x, const std::string& site) {
  const bool grouped = args.strategy == Strategy::kGroup;
  const std::int64_t width = grouped ? args.group_size : x.size(1);
  TORCH_CHECK(x.size(1) % width == 0, site, ": ", x.size(1), " columns in groups of ", width);
  const Tensor rows = x.contiguous().view({-1, width});
  ScaledCodes codes = args.symmetric
                          ? quantize_rows(rows, weight_grid(1.0f, qmax_of(args.num_bits)), site)
                          : quantize_asymmetric_rows(rows, args.num_bits, site);
  codes.values = codes.values.view(x.sizes());
  if (grouped) {
    for (Tensor* each : {&codes.scale, &codes.zero_point})
      if (each->defined()) *each = each->view({x.size(0), -1});
  }
  return codes;
}

Tensor dequantize(const Tensor& any_codes, const Tensor& scale, at::ScalarType dtype) {
  TORCH_CHECK(scale.numel() > 0 && any_codes.numel() % scale.numel() == 0, any_codes.numel(),
              " codes for ", scale.numel(), " scales");
  const Tensor codes = any_codes.contiguous();
  const Tensor y = at::empty(codes.sizes(), codes.options().dtype(dtype));
  const CodeRows in{data<std::int8_t>(codes), codes.scalar_type() == at::kByte, data<float>(scale),
                    scale.numel(), codes.numel() / scale.numel()};
  const data::Element element = element_of(dtype);
#ifdef DUALPATH_CUDA
  if (codes.is_cuda()) {
    dequantize_cuda(in, element, y.data_ptr(), modules::cuda_stream(codes));
    return y;
  }
#endif
  const auto part = [&](std::int64_t row, std::int64_t rows, std::int64_t begin,
                        std::int64_t width) {
    const CodeRows some{in.codes + begin, in.is_unsigned, in.scale + row, rows, width};
    dequantize_cpu(some, element, element_at(y, begin));
  };
  if (in.rows == 1) {
    for_elements(in.width,
                 [&](std::int64_t begin, std::int64_t end) { part(0, 1, begin, end - begin); });
  } else {
    at::parallel_for(0, in.rows, rows_of_grain(in.width),
                     [&](std::int64_t begin, std::int64_t end) {
                       part(begin, end - begin, begin * in.width, in.width);
                     });
  }
  return y;
}

NormCodes norm_quantize(const Tensor& x, const Tensor& weight, double eps, Grid grid,
                        const std::string& site) {
  const modules::NormRows in = modules::norm_rows_of(x, weight);
  const NormCodes made{empty_codes(x, grid).view({in.rows, in.width}),
                       at::empty({in.rows}, x.options().dtype(at::kFloat))};
  auto* codes = data<std::int8_t>(made.codes);
  auto* inverse_rms = data<float>(made.inverse_rms);
#ifdef DUALPATH_CUDA
  if (x.is_cuda()) {
    const Tensor non_finite = at::zeros({1}, x.options().dtype(at::kInt));
    norm_quantize_cuda(in, static_cast<float>(eps), grid, codes, inverse_rms,
                       data<std::int32_t>(non_finite), modules::cuda_stream(x));
    require_finite(non_finite.item<std::int32_t>(), x, site);
    return made;
  }
#endif
  std::atomic<std::int64_t> non_finite = 0;
  modules::for_norm_rows(in, x, [&](const modules::NormRows& rows, std::int64_t begin) {
    non_finite += norm_quantize_cpu(rows, static_cast<float>(eps), grid, codes + begin * in.width,
                                    inverse_rms + begin);
  });
  require_finite(non_finite, x, site);
  return made;
}

Tensor norm_quantize_gradient(const Tensor& any_grad, const Tensor& x, const Tensor& weight,
                              const Tensor& inverse_rms, Grid grid) {
  const Tensor grad = any_grad.contiguous(), grad_x = at::empty_like(x);
  const modules::NormRows in = modules::norm_rows_of(x, weight);
  const auto* inverse = data<float>(inverse_rms);
#ifdef DUALPATH_CUDA
  if (x.is_cuda()) {
    norm_quantize_backward_cuda(in, inverse, grid, grad.const_data_ptr(), grad_x.data_ptr(),
                                modules::cuda_stream(x));
    return grad_x;
  }
#endif
  modules::for_norm_rows(in, x, [&](const modules::NormRows& rows, std::int64_t begin) {
    norm_quantize_backward_cpu(rows, inverse + begin, grid, modules::row_at(grad, begin),
                               modules::row_at(grad_x, begin));
  });
  return grad_x;
}

}  // namespace dualpath::quant
