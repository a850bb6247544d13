#include "quant/tensor_kernels.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>

#include "data/base/error.h"
#include "modules/kernel_call.h"
#include "modules/norm_call.h"
#include "quant/kernels/norm_quantize.h"
#include "quant/kernels/quantize.h"

namespace dualpath::quant {
namespace {

using at::Tensor;
using modules::element_of;

constexpr std::int64_t kGrain = 1 << 15;  // elements a thread takes at a time

template <class T>
T* data(const Tensor& tensor) {
  return tensor.defined() ? static_cast<T*>(tensor.data_ptr()) : nullptr;
}

void require_finite(std::int64_t non_finite, const Tensor& x, const std::string& site) {
  if (non_finite > 0)
    throw Error("{}: {} of {} values are not finite", site, non_finite, x.numel());
}

Tensor empty_codes(const Tensor& like, Grid grid) {
  return at::empty(like.sizes(), like.options().dtype(grid.qmin < 0 ? at::kChar : at::kByte));
}

std::int64_t rows_of_grain(std::int64_t columns) {
  return std::max<std::int64_t>(1, kGrain / columns);
}

std::int64_t quantize_on_cpu(const Tensor& x, Grid grid, const Codes& codes) {
  const data::Element element = element_of(x.scalar_type());
  const auto size = static_cast<std::int64_t>(x.element_size());
  const auto* source = static_cast<const std::byte*>(x.const_data_ptr());
  auto* values = data<std::int8_t>(codes.values);
  auto* in_range = data<std::uint8_t>(codes.in_range);
  std::atomic<std::int64_t> non_finite = 0;
  at::parallel_for(0, x.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    non_finite += quantize_cpu(element, source + begin * size, end - begin, grid, values + begin,
                               in_range ? in_range + begin : nullptr);
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
#endif

/// Without VNNI, pairs of products are added in 16 bits, which saturate: seen only with codes at
/// their ends, and, since one operand is shifted to unsigned, only with some of the four pairs of
/// ends.
bool int_mm_is_exact() {
  constexpr std::int64_t kSize = 256;
  try {
    for (const std::int64_t left : {-128, 127}) {
      for (const std::int64_t right : {-128, 127}) {
        const Tensor a = at::full({kSize, kSize}, left, at::kChar);
        const Tensor b = at::full({kSize, kSize}, right, at::kChar);
        const Tensor sums = at::full({kSize, kSize}, left * right * kSize, at::kInt);
        if (!at::equal(at::_int_mm(a, b.t()), sums)) return false;
      }
    }
    return true;
  } catch (const c10::Error&) {
    return false;  // no kernel at all
  }
}

/// Looked at once in a process.
bool serves_int_mm() {
  static const bool exact = int_mm_is_exact();
  return exact;
}

}  // namespace

Codes quantize(const Tensor& x, Grid grid, const std::string& site, bool want_in_range) {
  const Tensor source = x.contiguous();
  Codes codes{empty_codes(source, grid), Tensor()};
  if (want_in_range) codes.in_range = at::empty(source.sizes(), source.options().dtype(at::kByte));
#ifdef DUALPATH_CUDA
  const std::int64_t non_finite = source.is_cuda() ? quantize_on_cuda(source, grid, codes)
                                                   : quantize_on_cpu(source, grid, codes);
#else
  const std::int64_t non_finite = quantize_on_cpu(source, grid, codes);
#endif
  require_finite(non_finite, source, site);
  return codes;
}

ScaledCodes quantize_tokens(const Tensor& x, bool unsigned_codes, const std::string& site) {
  const Tensor source = x.contiguous();
  const Tensor absmax = source.abs().amax(1).to(at::kFloat), scale = at::empty_like(absmax);
  std::transform(data<float>(absmax), data<float>(absmax) + absmax.numel(), data<float>(scale),
                 [](float row) { return symmetric_scale(row, kInt8Qmax); });
  ScaledCodes codes{at::empty(source.sizes(), unsigned_codes ? at::kByte : at::kChar), scale};
  std::int64_t non_finite = 0;
  for (std::int64_t row = 0; row < source.size(0); ++row) {
    const float of_row = data<float>(scale)[row];
    const Grid grid = unsigned_codes ? unsigned_activation_grid(of_row) : activation_grid(of_row);
    non_finite += quantize_on_cpu(source[row], grid, {codes.values[row], Tensor()});
  }
  require_finite(non_finite, source, site);
  return codes;
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

Tensor integer_sums(const Tensor& a, const Tensor& b) {
  const bool ambiguous = a.size(1) == 1;  // both strides are 1, and torch 2.11 takes the wrong one
  const bool served = a.is_cpu() && serves_int_mm() && !ambiguous;
  return served ? at::_int_mm(a, b.t()) : integer_sums_in_chunks(a, b);
}

std::string integer_sums_route() { return serves_int_mm() ? "at::_int_mm" : "float32 chunks"; }

Tensor integer_sums_in_chunks(const Tensor& a, const Tensor& b) {
  constexpr std::int64_t kExact =
      1024;  // 1024 * 128 * 128 = 2^24, up to which float32 holds every integer
  Tensor sums = at::zeros({a.size(0), b.size(0)}, a.options().dtype(at::kInt));
  for (std::int64_t k = 0; k < a.size(1); k += kExact) {
    const std::int64_t width = std::min(kExact, a.size(1) - k);
    const Tensor left = a.narrow(1, k, width).to(at::kFloat),
                 right = b.narrow(1, k, width).to(at::kFloat);
    sums += at::matmul(left, right.t()).to(at::kInt);
  }
  return sums;
}

Tensor scale_sums(const Tensor& sums, float input_scale, const Tensor& weight_scale,
                  const Tensor& bias, at::ScalarType dtype) {
  const std::int64_t rows = sums.size(0), columns = sums.size(1);
  const Tensor y = at::empty({rows, columns}, sums.options().dtype(dtype));
  const data::Element element = element_of(dtype);
#ifdef DUALPATH_CUDA
  if (sums.is_cuda()) {
    scale_sums_cuda(data<std::int32_t>(sums), rows, columns, input_scale, data<float>(weight_scale),
                    data<float>(bias), element, y.data_ptr(), modules::cuda_stream(sums));
    return y;
  }
#endif
  const std::int64_t row_bytes = columns * static_cast<std::int64_t>(y.element_size());
  at::parallel_for(0, rows, rows_of_grain(columns), [&](std::int64_t begin, std::int64_t end) {
    scale_sums_cpu(data<std::int32_t>(sums) + begin * columns, end - begin, columns, input_scale,
                   data<float>(weight_scale), data<float>(bias), element,
                   data<std::byte>(y) + begin * row_bytes);
  });
  return y;
}

}  // namespace dualpath::quant
