#include "modules/encoders/patch_places.h"

#include <ATen/ATen.h>

#include "data/base/error.h"
#include "modules/weights/to_device.h"

namespace dualpath::modules {
namespace {

using at::Tensor;

/// Row and column of each patch: [rows * columns, 2].
Tensor places_of(data::ImageGrid grid, std::int64_t merge) {
  const auto by_square = [&](const Tensor& of_patches) {
    return of_patches.expand({grid.rows, grid.columns})
        .reshape({grid.rows / merge, merge, grid.columns / merge, merge})
        .transpose(1, 2)
        .flatten();
  };
  const Tensor rows = at::arange(grid.rows, at::kLong),
               columns = at::arange(grid.columns, at::kLong);
  return at::stack({by_square(rows.unsqueeze(1)), by_square(columns)}, -1);
}

/// The middle of a patch in [-1, 1], for a side of so many patches.
Tensor normalized(const Tensor& place, const Tensor& patches) {
  return (place.to(at::kFloat) + 0.5) / patches.to(at::kFloat).unsqueeze(1) * 2 - 1;
}

}  // namespace

Tensor merged_places(const Tensor& grid, std::int64_t merge, std::int64_t length) {
  merged_grid(grid, merge);  // checks it
  const Tensor places = at::zeros({grid.size(0), length, 2}, at::kLong);
  const auto sides = grid.accessor<std::int64_t, 2>();
  for (std::int64_t image = 0; image < grid.size(0); ++image) {
    const Tensor own = places_of({sides[image][0], sides[image][1]}, merge);
    if (own.size(0) > length)
      throw Error("an image of {}x{} patches, but only {} were given", sides[image][0],
                  sides[image][1], length);
    places[image].narrow(0, 0, own.size(0)).copy_(own);
  }
  return places;
}

Tensor interpolated_positions(const Tensor& positions, data::ImageGrid own, const Tensor& places,
                              const Tensor& grid) {
  const Tensor sides = to_device(grid, places.device());
  const Tensor row = normalized(places.select(-1, 0), sides.select(-1, 0)),
               column = normalized(places.select(-1, 1), sides.select(-1, 1));
  const Tensor plane = positions.to(at::kFloat)
                           .reshape({1, own.rows, own.columns, -1})
                           .permute({0, 3, 1, 2})
                           .contiguous();
  constexpr std::int64_t kBicubic = 2, kBorder = 1;
  const Tensor read = at::grid_sampler_2d(plane, at::stack({column, row}, -1).unsqueeze(0),
                                          kBicubic, kBorder, /*align_corners=*/false)
                          .squeeze(0);  // wants one grid for the one plane
  return read.permute({1, 2, 0}).to(positions.scalar_type());
}

}  // namespace dualpath::modules
