#include "modules/layers/relative_positions.h"

#include <ATen/ATen.h>

#include <cmath>
#include <utility>
#include <vector>

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

/// Row t's score of key s stands at T - 1 - t + s. Put one element before each row, and cut rows of
/// T elements less the first. They are the rows of 2T - 1, each begun one element later than the
/// last.
Tensor by_key(Executor& executor, const Tensor& scores) {
  const std::int64_t length = scores.size(2);
  const auto rows_of = [&](const Tensor& x, std::vector<std::int64_t> sizes) {
    return executor.arrange(Unflatten{2, std::move(sizes)}, executor.arrange(Flatten{2}, x));
  };
  const Tensor shifted = rows_of(executor.arrange(Pad{{1, 0}}, scores), {-1, length});
  const Tensor rows = executor.arrange(Slice{2, 1, shifted.size(2) - 1}, shifted);
  return executor.arrange(Slice{3, 0, length}, rows_of(rows, {length, -1}));
}

}  // namespace dualpath::modules
