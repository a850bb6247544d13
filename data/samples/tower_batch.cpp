#include "data/samples/tower_batch.h"

#include <torch/torch.h>

#include <algorithm>

#include "data/base/error.h"

namespace dualpath::data {
namespace {

using torch::Tensor;

Tensor copy_of(const PreparedImage& image, at::IntArrayRef shape) {
  return torch::tensor(at::ArrayRef<float>(image.values)).view(shape);
}

TowerBatch planes(std::span<const PreparedImage> images) {
  const ImageGrid size = images.front().grid;
  std::vector<Tensor> rows;
  for (const PreparedImage& image : images) {
    if (image.grid != size)
      throw Error("images of {}x{} and {}x{} pixels do not lie side by side", size.rows,
                  size.columns, image.grid.rows, image.grid.columns);
    rows.push_back(copy_of(image, {3, size.rows, size.columns}));
  }
  return {torch::stack(rows), {}, {}};
}

TowerBatch patches(std::span<const PreparedImage> images) {
  std::vector<Tensor> rows, grids;
  std::vector<std::int64_t> lengths;
  for (const PreparedImage& image : images) {
    const auto [height, width] = image.grid;
    lengths.push_back(height * width);
    rows.push_back(copy_of(image, {height * width, -1}));
    grids.push_back(torch::tensor({height, width}));
  }
  const std::int64_t longest = *std::max_element(lengths.begin(), lengths.end());
  for (Tensor& row : rows) row = torch::constant_pad_nd(row, {0, 0, 0, longest - row.size(0)});
  return {torch::stack(rows), torch::arange(longest) < torch::tensor(lengths).unsqueeze(1),
          torch::stack(grids)};
}

}  // namespace

TowerBatch batch_of(std::span<const PreparedImage> images, ImageLayout layout) {
  return layout == ImageLayout::kPlanes ? planes(images) : patches(images);
}

TowerBatch batch_of(const AudioFeatures& clips) { return {clips.features, clips.mask, {}}; }

}  // namespace dualpath::data
