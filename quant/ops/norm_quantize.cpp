#include "quant/ops/norm_quantize.h"

#include <ATen/ATen.h>

#include <atomic>

#include "modules/ops/norm_call.h"
#include "modules/ops/on_device.h"
#include "modules/weights/device_counts.h"
#include "modules/weights/not_finite.h"
#include "quant/kernels/norm_quantize.h"
#include "quant/ops/quantize.h"

namespace dualpath::quant {

using at::Tensor;
using modules::NormRows;

NormCodes norm_quantize(const Tensor& x, const Tensor& weight, double eps, Grid like,
                        const Tensor& scale, const std::string& site) {
  const NormRows in = modules::norm_rows_of(x, weight);
  const NormCodes result{empty_codes(x, like).view({in.rows, in.width}),
                         at::empty({in.rows}, x.options().dtype(at::kFloat))};
  auto* codes = modules::data_or_null<std::int8_t>(result.codes);
  auto* inverse_rms = result.inverse_rms.mutable_data_ptr<float>();
  const auto on_cpu = [&] {
    const Grid grid = with_scale(like, scale);
    std::atomic<std::int64_t> non_finite = 0;
    modules::for_norm_rows(in, x, [&](const NormRows& rows, std::int64_t begin) {
      non_finite += norm_quantize_cpu(rows, static_cast<float>(eps), grid, codes + begin * in.width,
                                      inverse_rms + begin);
    });
    modules::refuse_not_finite(site, non_finite, x.numel(), x.scalar_type());
  };
  const auto on_cuda = [&](void* stream) {
    modules::count_on_device(site, x, [&](const Tensor& non_finite) {
      norm_quantize_cuda(in, static_cast<float>(eps), like, scale.const_data_ptr<float>(), codes,
                         inverse_rms, non_finite.mutable_data_ptr<std::int32_t>(), stream);
    });
  };
  modules::on_device(x, on_cpu, on_cuda);
  return result;
}

Tensor norm_quantize_gradient(const Tensor& any_grad, const Tensor& x, const Tensor& weight,
                              const Tensor& inverse_rms, Grid like, const Tensor& scale) {
  const Tensor grad = any_grad.contiguous(), grad_x = at::empty_like(x);
  const NormRows in = modules::norm_rows_of(x, weight);
  const auto* inverse = inverse_rms.const_data_ptr<float>();
  const auto on_cpu = [&] {
    const Grid grid = with_scale(like, scale);
    modules::for_norm_rows(in, x, [&](const NormRows& rows, std::int64_t begin) {
      norm_quantize_backward_cpu(rows, inverse + begin, grid, modules::row_at(grad, begin),
                                 modules::row_at(grad_x, begin));
    });
  };
  const auto on_cuda = [&](void* stream) {
    norm_quantize_backward_cuda(in, inverse, like, scale.const_data_ptr<float>(),
                                grad.const_data_ptr(), grad_x.data_ptr(), stream);
  };
  modules::on_device(x, on_cpu, on_cuda);
  return grad_x;
}

}  // namespace dualpath::quant
