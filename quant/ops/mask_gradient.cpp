#include "quant/ops/mask_gradient.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "modules/ops/kernel_call.h"
#include "modules/ops/on_device.h"
#include "quant/kernels/mask_gradient.h"
#include "quant/kernels/scale_gradient.h"

namespace dualpath::quant {

using at::Tensor;

void mask_gradient(const Tensor& grad, const Tensor& in_range) {
  TORCH_CHECK(grad.is_contiguous(), "a gradient with gaps");
  const data::Element element = modules::element_of(grad.scalar_type());
  const auto* bits = modules::data_or_null<const std::uint8_t>(in_range);
  const auto on_cpu = [&] {
    modules::for_elements(grad.numel(), [&](std::int64_t begin, std::int64_t end) {
      mask_gradient_cpu(element, modules::element_at(grad, begin), bits + begin / 8, end - begin,
                        modules::element_at(grad, begin));
    });
  };
  const auto on_cuda = [&](void* stream) {
    mask_gradient_cuda(element, grad.const_data_ptr(), bits, grad.numel(), grad.data_ptr(), stream);
  };
  modules::on_device(grad, on_cpu, on_cuda);
}

void scale_and_mask(const Tensor& grad, const Tensor& scale, const Tensor& in_range) {
  TORCH_CHECK(grad.is_contiguous(), "a gradient with gaps");
  const std::int64_t width = grad.size(1);
  const auto scale_part = [&](std::int64_t begin, std::int64_t end) {
    scale_gradient_cpu({modules::element_of(grad.scalar_type()), modules::row_at(grad, begin),
                        end - begin, width, scale.const_data_ptr<float>() + begin,
                        modules::data_or_null<const std::uint8_t>(in_range), begin * width});
  };
  const auto on_cpu = [&] {
    at::parallel_for(0, grad.size(0), modules::rows_of_grain(width), scale_part);
  };
  const auto on_cuda = [&](void*) {
    grad.mul_(scale.unsqueeze(1));
    if (in_range.defined()) mask_gradient(grad, in_range);
  };
  modules::on_device(grad, on_cpu, on_cuda);
}

}  // namespace dualpath::quant
