#include "quant/ops/quantize.h"

#include <ATen/ATen.h>

#include <atomic>

#include "modules/ops/kernel_call.h"
#include "modules/ops/on_device.h"
#include "modules/weights/device_counts.h"
#include "modules/weights/not_finite.h"
#include "quant/kernels/quantize.h"

namespace dualpath::quant {

using at::Tensor;

Tensor empty_codes(const Tensor& like, Grid grid) {
  return at::empty(like.sizes(), like.options().dtype(grid.qmin < 0 ? at::kChar : at::kByte));
}

Grid with_scale(Grid like, const Tensor& scale) {
  if (scale.defined()) like.scale = *scale.const_data_ptr<float>();
  return like;
}

Codes quantize(const Tensor& x, Grid grid, const std::string& site, bool want_in_range) {
  return quantize(x, grid, /*scale=*/Tensor(), site, want_in_range);
}

Codes quantize(const Tensor& any_x, Grid like, const Tensor& scale, const std::string& site,
               bool want_in_range) {
  const Tensor x = any_x.contiguous();
  Codes codes{empty_codes(x, like), Tensor()};
  if (want_in_range)
    codes.in_range = at::empty({(x.numel() + 7) / 8}, x.options().dtype(at::kByte));
  const data::Element element = modules::element_of(x.scalar_type());
  auto* values = modules::data_or_null<std::int8_t>(codes.values);
  auto* in_range = modules::data_or_null<std::uint8_t>(codes.in_range);
  const auto on_cpu = [&] {
    const Grid grid = with_scale(like, scale);
    std::atomic<std::int64_t> non_finite = 0;
    modules::for_elements(x.numel(), [&](std::int64_t begin, std::int64_t end) {
      non_finite += quantize_cpu(element, modules::element_at(x, begin), end - begin, grid,
                                 values + begin, in_range ? in_range + begin / 8 : nullptr);
    });
    modules::refuse_not_finite(site, non_finite, x.numel(), x.scalar_type());
  };
  const auto on_cuda = [&](void* stream) {
    modules::count_on_device(site, x, [&](const Tensor& non_finite) {
      quantize_cuda(element, x.const_data_ptr(), x.numel(), like,
                    modules::data_or_null<const float>(scale), values, in_range,
                    non_finite.mutable_data_ptr<std::int32_t>(), stream);
    });
  };
  modules::on_device(x, on_cpu, on_cuda);
  return codes;
}

}  // namespace dualpath::quant
