#include "quant/ops/quantized_conv.h"

#include <torch/torch.h>

#include "modules/ops/convolution.h"
#include "modules/ops/on_device.h"
#include "quant/ops/differentiable_codes.h"

namespace dualpath::quant {
namespace {

using torch::Tensor;

/// Dtype that sums so many products of codes exactly: float32, or float64 for more. On CUDA it is
/// always float64: cuDNN may convolve float32 by transforms, which round in between.
torch::ScalarType exact_dtype(std::int64_t products, const Tensor& x) {
  constexpr std::int64_t kExact = 1024;  // 1024 * 128 * 127 < 2^24
  return products <= kExact && modules::lies_on_host(x) ? torch::kFloat : torch::kDouble;
}

/// Shapes one value a channel to go with [B, channels, sizes...].
Tensor by_channel(const Tensor& each, std::int64_t dimensions) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(dimensions), 1);
  shape[1] = -1;
  return each.view(shape);
}

}  // namespace

Tensor quantized_conv(const Tensor& x, const Tensor& scale, const GridWeight& weight,
                      const Tensor& bias, const modules::ConvRef& ref, const std::string& site,
                      int num_bits) {
  const Tensor codes = activation_codes(x, scale, site, num_bits);
  const torch::ScalarType dtype = exact_dtype(weight.codes.size(1), x);
  const Tensor values = weight.codes.view(ref.weight_shape()).to(dtype);
  const Tensor sums = modules::convolution(ref, codes.to(dtype), values, /*bias=*/{});
  Tensor y = sums.to(torch::kFloat) * by_channel(scale * weight.scale, x.dim());
  if (bias.defined()) y = y + by_channel(bias, x.dim());
  return y.to(x.scalar_type());
}

}  // namespace dualpath::quant
