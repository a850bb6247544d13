#include "modules/layers/relative_positions.h"

#include <ATen/ATen.h>

#include <cmath>

namespace dualpath::modules {

using at::Tensor;

Tensor relative_positions(const Tensor& x, std::int64_t width) {
  const std::int64_t length = x.size(1);
  const auto options = x.options().dtype(at::kFloat);
  const Tensor distances = at::arange(length - 1, -length, -1, options);
  const double step = -std::log(10000.0) / static_cast<double>(width);
  const Tensor frequencies = at::exp(at::arange(0, width, 2, options) * step);
  const Tensor angles = distances.unsqueeze(1) * frequencies;
  return at::stack({angles.sin(), angles.cos()}, -1).flatten(1).unsqueeze(0).to(x.scalar_type());
}

/// Row t's score of key s stands at T - 1 - t + s. With one element before each row, rows of T
/// elements less the first are the same rows of 2T - 1, each begun one element later than the last.
Tensor by_key(const Tensor& scores) {
  const std::int64_t length = scores.size(2);
  const Tensor rows = at::constant_pad_nd(scores, {1, 0}).flatten(2).unflatten(2, {-1, length});
  return rows.slice(2, 1).flatten(2).unflatten(2, {length, -1}).slice(3, 0, length);
}

}  // namespace dualpath::modules
