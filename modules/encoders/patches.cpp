#include "modules/encoders/patches.h"

#include <ATen/ATen.h>

#include <vector>

#include "data/base/error.h"

namespace dualpath::modules {

using at::Tensor;

Tensor patches_of(Executor& executor, const Tensor& pixels, std::int64_t size) {
  const Tensor rows = executor.arrange(Unflatten{2, {-1, size}}, pixels),
               cells = executor.arrange(Unflatten{4, {-1, size}}, rows),
               patches = executor.arrange(Permute{{0, 2, 4, 1, 3, 5}}, cells);
  return executor.arrange(Flatten{1, 2}, executor.arrange(Flatten{3}, patches));
}

Tensor resized_positions(const Tensor& positions, const PositionResize& how) {
  const auto& [from, to, antialiased] = how;
  if (from == to) return positions;
  const std::vector<std::int64_t> size{to.rows, to.columns};
  const Tensor grid = positions.to(at::kFloat)
                          .reshape({1, from.rows, from.columns, -1})
                          .permute({0, 3, 1, 2})
                          .contiguous();
  const Tensor resized = antialiased
                             ? at::_upsample_bicubic2d_aa(grid, size, /*align_corners=*/false)
                             : at::upsample_bicubic2d(grid, size, /*align_corners=*/false);
  return resized.permute({0, 2, 3, 1})
      .reshape({1, to.rows * to.columns, -1})
      .to(positions.scalar_type());
}

Tensor merged_grid(const Tensor& grid, std::int64_t size) {
  const auto sides = grid.accessor<std::int64_t, 2>();
  for (std::int64_t image = 0; image < grid.size(0); ++image) {
    const std::int64_t rows = sides[image][0], columns = sides[image][1];
    if (rows % size != 0 || columns % size != 0)
      throw Error("an image of {}x{} patches is not divided by squares of {}x{}", rows, columns,
                  size, size);
  }
  return grid.div(size, "floor");
}

Tensor every(Executor& executor, const Tensor& mask, std::int64_t size) {
  const Tensor squares = executor.arrange(Unflatten{1, {-1, size}}, mask);
  return executor.arrange(Flatten{1}, executor.arrange(Slice{2, 0, 1}, squares));
}

}  // namespace dualpath::modules
