#pragma once

#include <cstdint>
#include <cstring>

#include "quant/arithmetic.h"
#include "quant/kernels/grouped_product.h"

/// The threads of CUDA's product by group, written for host and device alike: a test runs all
/// threads of a block in turn.
namespace dualpath::quant {

/// A block has kTileSide² threads. Each computes kRows rows times kTileOutputs outputs of the
/// block's tile, kTileSide apart.
inline constexpr int kTileSide = 16, kTileThreads = kTileSide * kTileSide;
inline constexpr int kTileOutputs = 4;
/// Quads of inputs that a block holds at a time.
inline constexpr int kTileQuads = 8;

/// The codes that a block's threads share. A row has a word more than it needs, so that threads of
/// neighbouring rows read different banks.
template <int kRows>
struct TileCodes {
  std::int32_t x[kRows * kTileSide][kTileQuads + 1];
  std::int32_t weight[kTileOutputs * kTileSide][kTileQuads + 1];
};

/// codes: 4 int8, aligned to 4 bytes.
DP_HOST_DEVICE inline std::int32_t load_quad(const std::int8_t* codes) {
#ifdef __CUDA_ARCH__
  return *reinterpret_cast<const std::int32_t*>(codes);
#else
  std::int32_t quad;
  std::memcpy(&quad, codes, sizeof quad);
  return quad;
#endif
}

/// Adds the products of two quads' codes to the sum.
DP_HOST_DEVICE inline std::int32_t add_quad(std::int32_t sum, std::int32_t x, std::int32_t weight) {
#ifdef __CUDA_ARCH__
  return __dp4a(x, weight, sum);
#else
  for (int byte = 0; byte < kQuad; ++byte) {
    const auto code = [byte](std::int32_t quad) {
      return static_cast<std::int8_t>(static_cast<std::uint32_t>(quad) >> (8 * byte));
    };
    sum += code(x) * code(weight);
  }
  return sum;
#endif
}

/// One thread of a block. For each group, in ascending order: load() and multiply() in turn, with
/// all threads between the two, then end_group().
template <int kRows>
class TileThread {
 public:
  /// thread: its number in the block. first_row, first_output: the block's tile.
  DP_HOST_DEVICE TileThread(const GroupedCodes& in, int thread, std::int64_t first_row,
                            std::int64_t first_output)
      : in_(in), thread_(thread), first_row_(first_row), first_output_(first_output) {}

  /// Loads this thread's share of the quads begin .. end; the tile's others become zero.
  DP_HOST_DEVICE void load(std::int64_t begin, std::int64_t end, TileCodes<kRows>& tile) const {
    load_rows(in_.x, in_.rows, first_row_, begin, end, kRows * kTileSide, tile.x);
    load_rows(in_.weight, in_.outputs, first_output_, begin, end, kTileOutputs * kTileSide,
              tile.weight);
  }

  DP_HOST_DEVICE void multiply(const TileCodes<kRows>& tile) {
    for (int quad = 0; quad < kTileQuads; ++quad) {
      for (int r = 0; r < kRows; ++r) {
        const std::int32_t x = tile.x[r * kTileSide + thread_ / kTileSide][quad];
        for (int o = 0; o < kTileOutputs; ++o)
          sums_[r][o] =
              add_quad(sums_[r][o], x, tile.weight[o * kTileSide + thread_ % kTileSide][quad]);
      }
    }
  }

  /// Scales the group's sums and adds them to the values.
  DP_HOST_DEVICE void end_group(std::int64_t group) {
    for (int r = 0; r < kRows; ++r) {
      for (int o = 0; o < kTileOutputs; ++o) {
        const std::int32_t sum = sums_[r][o];
        sums_[r][o] = 0;
        if (!is_inside(r, o)) continue;
        values_[r][o] += scaled_sum(sum, in_.input_scale(row(r)),
                                    in_.weight_scale[output(o) * in_.groups() + group]);
      }
    }
  }

  DP_HOST_DEVICE std::int64_t row(int r) const {
    return first_row_ + r * kTileSide + thread_ / kTileSide;
  }
  DP_HOST_DEVICE std::int64_t output(int o) const {
    return first_output_ + o * kTileSide + thread_ % kTileSide;
  }
  DP_HOST_DEVICE bool is_inside(int r, int o) const {
    return row(r) < in_.rows && output(o) < in_.outputs;
  }
  /// The result before the cast.
  DP_HOST_DEVICE float value(int r, int o) const {
    return in_.bias ? values_[r][o] + in_.bias[output(o)] : values_[r][o];
  }

 private:
  DP_HOST_DEVICE void load_rows(const std::int8_t* codes, std::int64_t rows, std::int64_t first,
                                std::int64_t begin, std::int64_t end, int count,
                                std::int32_t (*into)[kTileQuads + 1]) const {
    for (int i = thread_; i < count * kTileQuads; i += kTileThreads) {
      const std::int64_t from = first + i / kTileQuads, quad = begin + i % kTileQuads;
      const bool is_there = from < rows && quad < end;
      into[i / kTileQuads][i % kTileQuads] =
          is_there ? load_quad(codes + from * in_.inputs + quad * kQuad) : 0;
    }
  }

  GroupedCodes in_;
  int thread_;
  std::int64_t first_row_, first_output_;
  std::int32_t sums_[kRows][kTileOutputs] = {};
  float values_[kRows][kTileOutputs] = {};
};

}  // namespace dualpath::quant
