#include "quant/ops/quantize_rows.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <atomic>

#include "modules/ops/kernel_call.h"
#include "modules/ops/on_device.h"
#include "modules/weights/device_counts.h"
#include "modules/weights/not_finite.h"
#include "quant/kernels/quantize.h"
#include "quant/ops/quantize.h"

namespace dualpath::quant {
namespace {

using at::Tensor;
using modules::data_or_null;

Tensor one_a_row(const Tensor& x, at::ScalarType dtype) {
  return at::empty({x.size(0)}, x.options().dtype(dtype));
}

/// Calls kernel(first row, rows, number of the first) from several threads. It returns how many
/// values were not finite.
template <class Kernel>
void for_finite_rows(const Tensor& x, const std::string& site, const Kernel& kernel) {
  std::atomic<std::int64_t> non_finite = 0;
  at::parallel_for(0, x.size(0), modules::rows_of_grain(x.size(1)),
                   [&](std::int64_t begin, std::int64_t end) {
                     non_finite += kernel(modules::row_at(x, begin), end - begin, begin);
                   });
  modules::refuse_not_finite(site, non_finite, x.numel(), x.scalar_type());
}

/// x: [rows, width], contiguous.
ScaledCodes quantize_rows(const Tensor& x, Grid like, const std::string& site) {
  const ScaledCodes codes{empty_codes(x, like), one_a_row(x, at::kFloat), {}};
  const data::Element element = modules::element_of(x.scalar_type());
  const std::int64_t width = x.size(1);
  auto* values = data_or_null<std::int8_t>(codes.values);
  auto* scale = data_or_null<float>(codes.scale);
  const auto on_cpu = [&] {
    for_finite_rows(x, site, [&](const void* part, std::int64_t rows, std::int64_t first) {
      return quantize_rows_cpu(element, part, rows, width, like, values + first * width,
                               scale + first);
    });
  };
  const auto on_cuda = [&](void* stream) {
    modules::count_on_device(site, x, [&](const Tensor& non_finite) {
      quantize_rows_cuda(element, x.const_data_ptr(), x.size(0), width, like, values, scale,
                         non_finite.mutable_data_ptr<std::int32_t>(), stream);
    });
  };
  modules::on_device(x, on_cpu, on_cuda);
  return codes;
}

/// x: [rows, width], contiguous.
ScaledCodes quantize_asymmetric_rows(const Tensor& x, int num_bits, const std::string& site) {
  TORCH_CHECK(num_bits <= kMostAsymmetricBits, site, ": ", num_bits, " asymmetric bits");
  const ScaledCodes codes{empty_codes(x, weight_grid(1.0f)), one_a_row(x, at::kFloat),
                          one_a_row(x, at::kChar)};
  const data::Element element = modules::element_of(x.scalar_type());
  const std::int64_t width = x.size(1);
  auto* values = data_or_null<std::int8_t>(codes.values);
  auto* scale = data_or_null<float>(codes.scale);
  auto* zero_point = data_or_null<std::int8_t>(codes.zero_point);
  const auto on_cpu = [&] {
    for_finite_rows(x, site, [&](const void* part, std::int64_t rows, std::int64_t first) {
      return quantize_asymmetric_rows_cpu(element, part, rows, width, num_bits,
                                          values + first * width, scale + first,
                                          zero_point + first);
    });
  };
  const auto on_cuda = [&](void* stream) {
    modules::count_on_device(site, x, [&](const Tensor& non_finite) {
      quantize_asymmetric_rows_cuda(element, x.const_data_ptr(), x.size(0), width, num_bits, values,
                                    scale, zero_point, non_finite.mutable_data_ptr<std::int32_t>(),
                                    stream);
    });
  };
  modules::on_device(x, on_cpu, on_cuda);
  return codes;
}

}  // namespace

ScaledCodes quantize_tokens(const Tensor& x, Grid like, const std::string& site) {
  const Tensor rows = x.reshape({-1, x.size(-1)}).contiguous();
  ScaledCodes codes = quantize_rows(rows, like, site);
  codes.values = codes.values.view(x.sizes());
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

}  // namespace dualpath::quant
