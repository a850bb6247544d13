#include "modules/ops/convolution.h"

#include <ATen/ATen.h>

#include "modules/ops/depthwise.h"

namespace dualpath::modules {

at::Tensor convolution(const ConvRef& ref, const at::Tensor& x, const at::Tensor& weight,
                       const at::Tensor& bias) {
  if (is_depthwise(ref, x)) return depthwise(ref, x, weight, bias);
  const std::vector<std::int64_t> dilation(ref.kernel.size(), 1), no_padding(ref.kernel.size(), 0);
  return at::convolution(x, weight, bias, ref.stride, ref.padding, dilation, /*transposed=*/false,
                         /*output_padding=*/no_padding, ref.groups);
}

}  // namespace dualpath::modules
