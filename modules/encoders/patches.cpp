#include "modules/encoders/patches.h"

#include <ATen/ATen.h>

#include "data/base/error.h"

namespace dualpath::modules {

using at::Tensor;

Tensor patches_of(const Tensor& pixels, std::int64_t size) {
  const std::int64_t batch = pixels.size(0), channels = pixels.size(1),
                     rows = pixels.size(2) / size, columns = pixels.size(3) / size;
  return pixels.reshape({batch, channels, rows, size, columns, size})
      .permute({0, 2, 4, 1, 3, 5})
      .reshape({batch, rows * columns, channels * size * size});
}

Tensor resized_positions(const Tensor& positions, data::ImageGrid from, data::ImageGrid to,
                         bool antialiased) {
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

}  // namespace dualpath::modules
