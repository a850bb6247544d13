#include "modules/rotation.h"

#include <ATen/ATen.h>

namespace dualpath::modules {

RotationTable rotation_table(const Rotation& rotation, const at::Tensor& positions) {
  const auto options = positions.options().dtype(at::kFloat);
  const at::Tensor exponent = at::arange(0, rotation.dim, 2, options) / double(rotation.dim);
  const at::Tensor frequency = at::pow(rotation.theta, exponent).reciprocal();
  const at::Tensor angle = positions.to(at::kFloat).unsqueeze(-1) * frequency;  // [B, T, dim / 2]
  return {angle.cos().unsqueeze(1), angle.sin().unsqueeze(1)};
}

at::Tensor rotate(const at::Tensor& x, const RotationTable& table) {
  const std::int64_t half = table.cos.size(-1);
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor first = wide.narrow(-1, 0, half), second = wide.narrow(-1, half, half);
  return at::cat({first * table.cos - second * table.sin, second * table.cos + first * table.sin},
                 -1)
      .to(x.scalar_type());
}

}  // namespace dualpath::modules
