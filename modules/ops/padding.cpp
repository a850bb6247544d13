#include "modules/ops/padding.h"

#include <ATen/ATen.h>

#include <vector>

namespace dualpath::modules {

using at::Tensor;

Tensor without_padding(const Tensor& x, const Tensor& mask, std::int64_t dim) {
  if (mask.is_cpu() && mask.all().item<bool>()) return x;  // a device would have to be waited for
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[0] = mask.size(0);
  shape[static_cast<std::size_t>(dim)] = mask.size(1);
  return x * mask.reshape(shape);
}

std::int64_t conv_length(const ConvRef& ref, std::int64_t length) {
  return (length + 2 * ref.padding.front() - ref.kernel.front()) / ref.stride.front() + 1;
}

Tensor conv_mask(const ConvRef& ref, const Tensor& mask) {
  const Tensor lengths = (mask.sum(1) + (2 * ref.padding.front() - ref.kernel.front()))
                             .div(ref.stride.front(), /*rounding_mode=*/"floor") +
                         1;
  const Tensor frames = at::arange(conv_length(ref, mask.size(1)), lengths.options());
  return frames.lt(lengths.unsqueeze(1));
}

}  // namespace dualpath::modules
