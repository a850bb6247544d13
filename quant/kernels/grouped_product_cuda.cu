#include "modules/kernels/device.cuh"
#include "quant/kernels/grouped_product.h"
#include "quant/kernels/grouped_tile.h"

namespace dualpath::quant {
namespace {

using modules::device::check_launch;
using modules::device::store;
using modules::device::visit_stored;

// A block takes a tile of rows and outputs. Its threads load the codes of some quads together and
// multiply them from shared memory. 65 535 tiles of 64 rows are more than memory holds.

template <int kRows, class T>
__global__ void grouped_product_kernel(GroupedCodes in, T* y) {
  __shared__ TileCodes<kRows> tile;
  const std::int64_t first_row = static_cast<std::int64_t>(blockIdx.y) * (kRows * kTileSide),
                     first_output =
                         static_cast<std::int64_t>(blockIdx.x) * (kTileOutputs * kTileSide);
  TileThread<kRows> thread(in, static_cast<int>(threadIdx.x), first_row, first_output);
  const std::int64_t quads = in.group_size / kQuad;
  for (std::int64_t group = 0; group < in.groups(); ++group) {
    const std::int64_t end = (group + 1) * quads;
    for (std::int64_t quad = group * quads; quad < end; quad += kTileQuads) {
      thread.load(quad, end, tile);
      __syncthreads();
      thread.multiply(tile);
      __syncthreads();
    }
    thread.end_group(group);
  }
  for (int r = 0; r < kRows; ++r) {
    for (int o = 0; o < kTileOutputs; ++o) {
      if (thread.is_inside(r, o))
        store(thread.value(r, o), y + thread.row(r) * in.outputs + thread.output(o));
    }
  }
}

template <int kRows, class T>
void launch(const GroupedCodes& in, T* y, cudaStream_t stream) {
  const auto blocks = [](std::int64_t n, std::int64_t tile) {
    return static_cast<unsigned>((n + tile - 1) / tile);
  };
  const dim3 grid(blocks(in.outputs, kTileOutputs * kTileSide), blocks(in.rows, kRows * kTileSide));
  grouped_product_kernel<kRows, T><<<grid, kTileThreads, 0, stream>>>(in, y);
  check_launch("grouped_product");
}

/// Few rows, as of a decoded token, have a tile of few.
template <class T>
void launch_for_rows(const GroupedCodes& in, T* y, cudaStream_t stream) {
  if (in.rows <= kTileSide) return launch<1>(in, y, stream);
  launch<kTileOutputs>(in, y, stream);
}

}  // namespace

void grouped_product_cuda(const GroupedCodes& in, data::Element element, void* y, void* stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  if (in.rows == 0 || in.outputs == 0) return;
  visit_stored(element,
               [&](auto zero) { launch_for_rows(in, static_cast<decltype(zero)*>(y), on); });
}

}  // namespace dualpath::quant
