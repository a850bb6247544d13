#include "modules/kernels/correction.h"
#include "modules/kernels/device.cuh"

namespace dualpath::modules {
namespace {

using device::check_launch;
using device::kThreads;
using device::lane_sum;
using device::store;
using device::to_float;
using device::visit_stored;

// A block takes kRows rows, so that parts read of the two matrices serve all of them. If there are
// fewer, the rest counts as zeros. A group of sixteen threads makes a sum along the hidden
// dimension. Without such a sum, each channel has a thread.

constexpr int kGroups = kThreads / kSumLanes;
constexpr int kTileFloats = 2048;  // floats of the rows in shared memory at a time
constexpr int kUnitsAGroup = 5;    // sums that a group makes of each row at a time
static_assert(kTileFloats / 8 % kSumLanes == 0, "a tile must not cut the order of a sum");

constexpr int kUnitsAThread = 16;  // units a thread in sums over rows

/// Units of a row of the trace, with the ones past its width.
__host__ __device__ constexpr int padded_units(std::int64_t width) {
  return static_cast<int>((width + kUnitsAThread - 1) / kUnitsAThread) * kUnitsAThread;
}

/// Some rows of x.
template <class T>
struct Block {
  const T* x;
  std::int64_t first;
  int rows;

  __device__ Block(const T* all_x, std::int64_t all_rows, std::int64_t hidden, int most)
      : first(std::int64_t{blockIdx.x} * most) {
    x = all_x + first * hidden;
    const std::int64_t left = all_rows - first;
    rows = left < most ? static_cast<int>(left) : most;
  }
};

/// Hands dot(vector(k), row r of value(r, i)) for k < count and each row to emit(k, r, sum), by one
/// thread of a group. All threads of the block take part.
template <int kRows, class Value, class Vector, class Emit>
__device__ void dots(float* tile, std::int64_t length, int count, const Value& value,
                     const Vector& vector, const Emit& emit) {
  constexpr int kColumns = kTileFloats / kRows;
  const int lane = threadIdx.x % kSumLanes, group = threadIdx.x / kSumLanes;
  for (int first = 0; first < count; first += kGroups * kUnitsAGroup) {
    const int left = (count - first + kGroups - 1) / kGroups;  // the same for all groups
    const int units = left < kUnitsAGroup ? left : kUnitsAGroup;
    const float* vectors[kUnitsAGroup];
    for (int u = 0; u < kUnitsAGroup; ++u) {
      const int k = first + u * kGroups + group;
      vectors[u] = vector(k < count ? k : count - 1);
    }
    float sums[kUnitsAGroup][kRows] = {};
    for (std::int64_t begin = 0; begin < length; begin += kColumns) {
      const int columns = length - begin < kColumns ? static_cast<int>(length - begin) : kColumns;
      __syncthreads();  // all have read the tile before
      for (int c = threadIdx.x; c < columns; c += kThreads) {
#pragma unroll
        for (int r = 0; r < kRows; ++r) tile[c * kRows + r] = value(r, begin + c);
      }
      __syncthreads();
      for (int c = lane; c < columns; c += kSumLanes) {
        float of_rows[kRows];
#pragma unroll
        for (int r = 0; r < kRows; ++r) of_rows[r] = tile[c * kRows + r];
#pragma unroll
        for (int u = 0; u < kUnitsAGroup; ++u) {
          if (u >= units) break;
          const float factor = vectors[u][begin + c];
#pragma unroll
          for (int r = 0; r < kRows; ++r) sums[u][r] += factor * of_rows[r];
        }
      }
    }
#pragma unroll
    for (int u = 0; u < kUnitsAGroup; ++u) {
      const int k = first + u * kGroups + group;
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        const float sum = lane_sum(sums[u][r]);
        if (lane == 0 && u < units && k < count) emit(k, r, sum);
      }
    }
  }
}

/// rms: [kRows]; 1 for rows that are not there, and for all if the input is not normalized.
template <int kRows, class T>
__device__ void sizes(const CorrectionWeights& w, const Block<T>& block, float* tile, float* rms) {
  constexpr int kColumns = kTileFloats / kRows;
  const int lane = threadIdx.x % kSumLanes, group = threadIdx.x / kSumLanes;
  float sum = 0.0f;
  for (std::int64_t begin = 0; w.normalized && begin < w.hidden; begin += kColumns) {
    const int columns = w.hidden - begin < kColumns ? static_cast<int>(w.hidden - begin) : kColumns;
    __syncthreads();
    for (int c = threadIdx.x; c < columns; c += kThreads) {
      for (int r = 0; r < block.rows; ++r)
        tile[c * kRows + r] = to_float(block.x[r * w.hidden + begin + c]);
    }
    __syncthreads();
    for (int c = lane; group < block.rows && c < columns; c += kSumLanes) {
      const float value = tile[c * kRows + group];
      sum += value * value;
    }
  }
  sum = lane_sum(sum);
  if (lane == 0 && group < kRows) {
    const bool sized = w.normalized && group < block.rows;
    rms[group] = sized ? sqrtf(sum / static_cast<float>(w.hidden) + kCorrectionEps) : 1.0f;
  }
  __syncthreads();
}

/// before: [width, kRows], the head's units without their bias.
template <int kRows, class T>
__device__ void units_of(const CorrectionWeights& w, const Block<T>& block, const float* rms,
                         float* tile, float* before) {
  dots<kRows>(
      tile, w.hidden, static_cast<int>(w.width),
      [&](int r, std::int64_t i) {
        return r < block.rows ? to_float(block.x[r * w.hidden + i]) / rms[r] : 0.0f;
      },
      [&](int k) { return w.down + k * w.hidden; },
      [&](int k, int r, float sum) { before[k * kRows + r] = sum; });
  __syncthreads();
}

__device__ float relu(float value) { return value > 0.0f ? value : 0.0f; }

template <int kRows, class T>
__global__ void __launch_bounds__(kThreads)
    forward_kernel(CorrectionWeights w, const T* x, std::int64_t rows, T* y) {
  extern __shared__ float shared[];
  __shared__ float rms[kRows];
  float *tile = shared, *active = shared + kTileFloats;
  const Block<T> block(x, rows, w.hidden, kRows);
  sizes<kRows>(w, block, tile, rms);
  units_of<kRows>(w, block, rms, tile, active);
  for (int k = threadIdx.x; k < w.width; k += kThreads) {
    for (int r = 0; r < kRows; ++r)
      active[k * kRows + r] = relu(active[k * kRows + r] + w.down_bias[k]);
  }
  __syncthreads();
  const float alpha = *w.alpha;
  for (std::int64_t i = threadIdx.x; i < w.hidden; i += kThreads) {
    float head[kRows];
    for (int r = 0; r < kRows; ++r) head[r] = w.up_bias[i];
#pragma unroll 4
    for (int k = 0; k < w.width; ++k) {
      const float factor = w.up[k * w.hidden + i];
#pragma unroll
      for (int r = 0; r < kRows; ++r) head[r] += active[k * kRows + r] * factor;
    }
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (r >= block.rows) break;
      const std::int64_t at = r * w.hidden + i;
      store(to_float(block.x[at]) + rms[r] * (alpha * head[r] + w.beta[i]),
            y + block.first * w.hidden + at);
    }
  }
}

/// Turns along into the gradients of the units before their ReLU. It begins as dots of the head's
/// gradient with each row of up, with up_bias and with beta. along_x: [kRows], the slope of x's
/// gradient along x / rms. A group takes a row.
template <int kRows, class T>
__device__ void trace_rows(const CorrectionWeights& w, const Block<T>& block, const float* rms,
                           const float* before, float* along, float* along_x,
                           const CorrectionTrace& trace) {
  const int lane = threadIdx.x % kSumLanes, r = threadIdx.x / kSumLanes;
  const int width = static_cast<int>(w.width), units = padded_units(width);
  const std::int64_t row = block.first + r;
  const float alpha = *w.alpha;
  float of_alpha = 0.0f, along_input = 0.0f;
  for (int k = lane; r < block.rows && k < units; k += kSumLanes) {
    float unit = 0.0f, slope = 0.0f;
    if (k < width) {
      const float along_up = along[k * kRows + r];
      unit = relu(before[k * kRows + r] + w.down_bias[k]);
      slope = unit > 0.0f ? alpha * along_up : 0.0f;
      of_alpha += unit * along_up;
      along_input += slope * before[k * kRows + r];
      along[k * kRows + r] = slope;
    }
    trace.active[row * units + k] = unit;
    trace.of_active[row * units + k] = slope;
  }
  of_alpha = lane_sum(of_alpha);
  along_input = lane_sum(along_input);
  if (lane != 0 || r >= block.rows) return;
  of_alpha += along[width * kRows + r];
  trace.rms[row] = rms[r];
  trace.of_alpha[row] = of_alpha;
  // rms(x) stands before the head's result and under its input.
  const float of_rms = alpha * of_alpha + along[(width + 1) * kRows + r] - along_input;
  along_x[r] = w.normalized ? of_rms / rms[r] / static_cast<float>(w.hidden) : 0.0f;
}

template <int kRows, class T>
__global__ void __launch_bounds__(kThreads)
    backward_kernel(CorrectionWeights w, const T* x, const T* all_grad, std::int64_t rows,
                    T* grad_x, CorrectionTrace trace) {
  extern __shared__ float shared[];
  __shared__ float rms[kRows], along_x[kRows];
  float *tile = shared, *before = tile + kTileFloats, *along = before + w.width * kRows;
  const Block<T> block(x, rows, w.hidden, kRows);
  const T* grad = all_grad + block.first * w.hidden;
  const int width = static_cast<int>(w.width);
  sizes<kRows>(w, block, tile, rms);
  units_of<kRows>(w, block, rms, tile, before);
  dots<kRows>(
      tile, w.hidden, width + 2,
      [&](int r, std::int64_t i) {
        return r < block.rows ? rms[r] * to_float(grad[r * w.hidden + i]) : 0.0f;
      },
      [&](int k) { return k < width    ? w.up + k * w.hidden
                          : k == width ? w.up_bias
                                       : w.beta; },
      [&](int k, int r, float sum) { along[k * kRows + r] = sum; });
  __syncthreads();
  trace_rows<kRows>(w, block, rms, before, along, along_x, trace);
  __syncthreads();
  for (std::int64_t i = threadIdx.x; i < w.hidden; i += kThreads) {
    float of_input[kRows] = {};
#pragma unroll 4
    for (int k = 0; k < width; ++k) {
      const float factor = w.down[k * w.hidden + i];
#pragma unroll
      for (int r = 0; r < kRows; ++r) of_input[r] += along[k * kRows + r] * factor;
    }
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (r >= block.rows) break;
      const std::int64_t at = r * w.hidden + i;
      const float input = to_float(block.x[at]) / rms[r];
      store(to_float(grad[at]) + of_input[r] / rms[r] + along_x[r] * input,
            grad_x + block.first * w.hidden + at);
    }
  }
}

/// Layout of the sums over rows. A thread has one channel and kUnitsAThread units; a block
/// `columns` channels and `groups` times as many units; the grid channels, shares of the rows,
/// units.
struct SumGrid {
  int groups, columns;
  std::int64_t share;  // rows
  dim3 blocks;

  SumGrid(std::int64_t hidden, std::int64_t width, std::int64_t rows) {
    constexpr std::int64_t kEnoughBlocks = 512, kFewestRows = 32;
    const std::int64_t parts = padded_units(width) / kUnitsAThread;
    groups = parts > 2 ? 4 : static_cast<int>(parts);
    columns = kThreads / groups;
    blocks.x = static_cast<unsigned>((hidden + columns - 1) / columns);
    blocks.z = static_cast<unsigned>((parts + groups - 1) / groups);
    const std::int64_t most = std::max<std::int64_t>(1, rows / kFewestRows);
    const std::int64_t wanted = (kEnoughBlocks + blocks.x * blocks.z - 1) / (blocks.x * blocks.z);
    const std::int64_t shares = std::min(most, wanted);
    share = std::max<std::int64_t>(1, (rows + shares - 1) / shares);
    blocks.y = static_cast<unsigned>((rows + share - 1) / share);
  }
};

__device__ void add_scaled(float4 factors, float value, float* sums) {
  sums[0] = fmaf(factors.x, value, sums[0]);
  sums[1] = fmaf(factors.y, value, sums[1]);
  sums[2] = fmaf(factors.z, value, sums[2]);
  sums[3] = fmaf(factors.w, value, sums[3]);
}

/// Sums values[row * stride] over a share of the rows.
__device__ float column_sum(const float* values, std::int64_t stride, std::int64_t begin,
                            std::int64_t end) {
  float sum = 0.0f;
  for (std::int64_t row = begin; row < end; ++row) sum += values[row * stride];
  return sum;
}

/// Selects set blockIdx.y of each gradient.
__device__ CorrectionGradients set_of(const CorrectionGradients& all, const CorrectionWeights& w) {
  const std::int64_t set = blockIdx.y, matrix = set * w.width * w.hidden;
  return {all.down + matrix,         all.down_bias + set * w.width,
          all.up + matrix,           all.up_bias + set * w.hidden,
          all.beta + set * w.hidden, all.alpha + set};
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    sums_kernel(CorrectionWeights w, const T* x, const T* grad, std::int64_t rows, SumGrid grid,
                CorrectionTrace trace, CorrectionGradients all) {
  const CorrectionGradients sums = set_of(all, w);
  const std::int64_t begin = blockIdx.y * grid.share;
  const std::int64_t end = begin + grid.share < rows ? begin + grid.share : rows;
  const int units = padded_units(w.width),
            first_of_block = blockIdx.z * grid.groups * kUnitsAThread;
  const int first = first_of_block + threadIdx.x / grid.columns * kUnitsAThread;
  const std::int64_t i =
      static_cast<std::int64_t>(blockIdx.x) * grid.columns + threadIdx.x % grid.columns;
  const float alpha = *w.alpha;
  if (i < w.hidden && first < units) {
    float down[kUnitsAThread] = {}, up[kUnitsAThread] = {}, beta = 0.0f;
    for (std::int64_t row = begin; row < end; ++row) {
      const float input = to_float(x[row * w.hidden + i]) / trace.rms[row];
      const float of_head = trace.rms[row] * to_float(grad[row * w.hidden + i]);
      const auto* active = reinterpret_cast<const float4*>(trace.active + row * units + first);
      const auto* of_active =
          reinterpret_cast<const float4*>(trace.of_active + row * units + first);
#pragma unroll
      for (int four = 0; four < kUnitsAThread / 4; ++four) {
        add_scaled(of_active[four], input, down + 4 * four);
        add_scaled(active[four], of_head, up + 4 * four);
      }
      beta += of_head;
    }
#pragma unroll
    for (int j = 0; j < kUnitsAThread; ++j) {
      if (first + j >= w.width) break;
      sums.down[(first + j) * w.hidden + i] = down[j];
      sums.up[(first + j) * w.hidden + i] = alpha * up[j];
    }
    if (first == 0) {
      sums.beta[i] = beta;
      sums.up_bias[i] = alpha * beta;
    }
  }
  // The first column of blocks adds all that has no channels.
  const int k = first_of_block + threadIdx.x;
  if (blockIdx.x == 0 && threadIdx.x < grid.groups * kUnitsAThread && k < w.width)
    sums.down_bias[k] = column_sum(trace.of_active + k, units, begin, end);
  if (blockIdx.x == 0 && blockIdx.z == 0 && threadIdx.x == kThreads - 1)
    *sums.alpha = column_sum(trace.of_alpha, 1, begin, end);
}

/// Bytes of dynamic shared memory: the tile, and some arrays of the head's size.
std::size_t shared_bytes(std::int64_t floats_a_row, int rows_a_block) {
  return (kTileFloats + static_cast<std::size_t>(floats_a_row * rows_a_block)) * sizeof(float);
}

/// Rows a block: many if many rows fill the device anyway and any device's shared memory has room.
int rows_a_block(std::int64_t rows, std::int64_t floats_a_row) {
  constexpr std::size_t kSharedBytes = (48 << 10) - 256;
  if (rows >= 1024 && shared_bytes(floats_a_row, 8) <= kSharedBytes) return 8;
  if (rows >= 32 && shared_bytes(floats_a_row, 4) <= kSharedBytes) return 4;
  return 1;
}

template <int kRows, class T>
void launch_rows(const CorrectionWeights& w, const void* x, std::int64_t rows, void* y,
                 cudaStream_t stream) {
  const auto blocks = static_cast<unsigned>((rows + kRows - 1) / kRows);
  forward_kernel<kRows><<<blocks, kThreads, shared_bytes(w.width, kRows), stream>>>(
      w, static_cast<const T*>(x), rows, static_cast<T*>(y));
  check_launch("correction");
}

template <class T>
void launch(const CorrectionWeights& w, const void* x, std::int64_t rows, void* y,
            cudaStream_t stream) {
  switch (rows_a_block(rows, w.width)) {
    case 8:
      return launch_rows<8, T>(w, x, rows, y, stream);
    case 4:
      return launch_rows<4, T>(w, x, rows, y, stream);
    default:
      return launch_rows<1, T>(w, x, rows, y, stream);
  }
}

/// x, its gradient and y's.
struct BackwardRows {
  const void *x, *grad;
  void* grad_x;
  std::int64_t rows;
};

std::int64_t backward_floats(const CorrectionWeights& w) { return 2 * w.width + 2; }

template <int kRows, class T>
void launch_backward_rows(const CorrectionWeights& w, const BackwardRows& in,
                          const CorrectionTrace& trace, cudaStream_t stream) {
  const auto blocks = static_cast<unsigned>((in.rows + kRows - 1) / kRows);
  backward_kernel<kRows><<<blocks, kThreads, shared_bytes(backward_floats(w), kRows), stream>>>(
      w, static_cast<const T*>(in.x), static_cast<const T*>(in.grad), in.rows,
      static_cast<T*>(in.grad_x), trace);
  check_launch("correction_backward");
}

template <class T>
void launch_backward(const CorrectionWeights& w, const BackwardRows& in,
                     const CorrectionTrace& trace, const CorrectionGradients& gradients,
                     cudaStream_t stream) {
  switch (rows_a_block(in.rows, backward_floats(w))) {
    case 8:
      launch_backward_rows<8, T>(w, in, trace, stream);
      break;
    case 4:
      launch_backward_rows<4, T>(w, in, trace, stream);
      break;
    default:
      launch_backward_rows<1, T>(w, in, trace, stream);
  }
  const SumGrid grid(w.hidden, w.width, in.rows);
  sums_kernel<<<grid.blocks, kThreads, 0, stream>>>(w, static_cast<const T*>(in.x),
                                                    static_cast<const T*>(in.grad), in.rows, grid,
                                                    trace, gradients);
  check_launch("correction_backward_sums");
}

}  // namespace

std::int64_t correction_units(std::int64_t width) { return padded_units(width); }

std::int64_t correction_gradient_sets(const CorrectionWeights& weights, std::int64_t rows) {
  return SumGrid(weights.hidden, weights.width, rows).blocks.y;
}

void correction_cuda(data::Element element, const CorrectionWeights& weights, const void* x,
                     std::int64_t rows, void* y, void* stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  if (rows == 0) return;
  visit_stored(element, [&](auto zero) { launch<decltype(zero)>(weights, x, rows, y, on); });
}

void correction_backward_cuda(data::Element element, const CorrectionWeights& weights,
                              const void* x, const void* grad, std::int64_t rows, void* grad_x,
                              const CorrectionTrace& trace, const CorrectionGradients& gradients,
                              void* stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  const BackwardRows in{x, grad, grad_x, rows};
  if (rows == 0) return;
  visit_stored(element, [&](auto zero) {
    launch_backward<decltype(zero)>(weights, in, trace, gradients, on);
  });
}

}  // namespace dualpath::modules
