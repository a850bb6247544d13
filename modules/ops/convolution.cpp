#include "modules/ops/convolution.h"

#include <ATen/ATen.h>

#include "modules/ops/bfloat16_products.h"
#include "modules/ops/depthwise.h"

namespace dualpath::modules {

at::Tensor convolution(const ConvRef& ref, const at::Tensor& x, const at::Tensor& weight,
                       const at::Tensor& bias) {
  if (is_depthwise(ref, x)) return depthwise(ref, x, weight, bias);
  const std::vector<std::int64_t> dilation(ref.kernel.size(), 1), no_padding(ref.kernel.size(), 0);
  const auto convolved = [&](const at::Tensor& input, const at::Tensor& kernel,
                             const at::Tensor& offset) {
    return at::convolution(input, kernel, offset, ref.stride, ref.padding, dilation,
                           /*transposed=*/false, /*output_padding=*/no_padding, ref.groups);
  };
  if (x.is_cpu() && x.scalar_type() == at::kBFloat16 && !has_bfloat16_products()) {
    const auto widened = [](const at::Tensor& y) { return y.defined() ? y.to(at::kFloat) : y; };
    return convolved(widened(x), widened(weight), widened(bias)).to(at::kBFloat16);
  }
  return convolved(x, weight, bias);
}

}  // namespace dualpath::modules
