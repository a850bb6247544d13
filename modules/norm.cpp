#include "modules/norm.h"

#include <ATen/ATen.h>

namespace dualpath::modules {

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor inverse_rms = (wide.square().mean(-1, /*keepdim=*/true) + eps).rsqrt();
  return (wide * inverse_rms * weight).to(x.scalar_type());
}

}  // namespace dualpath::modules
