#include "quant/kernels/grouped_tile.h"

#include <algorithm>
#include <random>
#include <vector>

#include "tests/support/catch.h"

using namespace dualpath::quant;

namespace {

struct GroupedOperands {
  std::int64_t rows, outputs, inputs, group_size;
  std::vector<std::int8_t> x, weight;
  std::vector<float> weight_scale, scale, bias;

  GroupedOperands(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t size)
      : rows(m), outputs(n), inputs(k), group_size(size) {
    std::mt19937 random(7);
    const auto codes = [&](std::int64_t count, int lowest) {
      std::vector<std::int8_t> all(static_cast<std::size_t>(count));
      std::uniform_int_distribution<int> code(lowest, 127);
      for (std::int8_t& one : all) one = static_cast<std::int8_t>(code(random));
      return all;
    };
    const auto floats = [&](std::int64_t count, float lowest) {
      std::vector<float> all(static_cast<std::size_t>(count));
      std::uniform_real_distribution<float> value(lowest, 1.0f);
      for (float& one : all) one = value(random);
      return all;
    };
    x = codes(m * k, -128);
    weight = codes(n * k, -127);
    weight_scale = floats(n * (k / size), 1e-3f);
    scale = floats(m, 1e-2f);
    bias = floats(n, -1.0f);
  }

  GroupedCodes all() const {
    return {x.data(), weight.data(), weight_scale.data(),     rows,       outputs,
            inputs,   group_size,    {1.0f, scale.data(), 1}, bias.data()};
  }
};

/// The law: int32 sums of a group's codes, each times its scales, added in order.
float expected_value(const GroupedCodes& in, std::int64_t row, std::int64_t output) {
  float value = 0.0f;
  for (std::int64_t group = 0; group < in.groups(); ++group) {
    std::int32_t sum = 0;
    for (std::int64_t i = group * in.group_size; i < (group + 1) * in.group_size; ++i)
      sum += in.x[row * in.inputs + i] * in.weight[output * in.inputs + i];
    value += scaled_sum(sum, in.input_scale(row), in.weight_scale[output * in.groups() + group]);
  }
  return value + in.bias[output];
}

/// Runs all threads of a block as the kernel does, each phase for all of them.
template <int kRows, class Visit>
void run_block(const GroupedCodes& in, std::int64_t first_row, std::int64_t first_output,
               const Visit& visit) {
  TileCodes<kRows> tile;
  std::vector<TileThread<kRows>> threads;
  for (int i = 0; i < kTileThreads; ++i) threads.emplace_back(in, i, first_row, first_output);
  const std::int64_t quads = in.group_size / kQuad;
  for (std::int64_t group = 0; group < in.groups(); ++group) {
    const std::int64_t end = (group + 1) * quads;
    for (std::int64_t quad = group * quads; quad < end; quad += kTileQuads) {
      std::fill_n(&tile.x[0][0], sizeof(tile) / sizeof(std::int32_t),
                  0x55555555);  // another step's
      for (const auto& thread : threads) thread.load(quad, end, tile);
      for (auto& thread : threads) thread.multiply(tile);
    }
    for (auto& thread : threads) thread.end_group(group);
  }
  for (const auto& thread : threads) {
    for (int r = 0; r < kRows; ++r) {
      for (int o = 0; o < kTileOutputs; ++o)
        if (thread.is_inside(r, o)) visit(thread.row(r), thread.output(o), thread.value(r, o));
    }
  }
}

template <int kRows>
void check_tiles(const GroupedOperands& operands) {
  const GroupedCodes in = operands.all();
  std::vector<int> seen(static_cast<std::size_t>(in.rows * in.outputs));
  int wrong = 0;
  for (std::int64_t row = 0; row < in.rows; row += kRows * kTileSide) {
    for (std::int64_t output = 0; output < in.outputs; output += kTileOutputs * kTileSide) {
      run_block<kRows>(in, row, output, [&](std::int64_t r, std::int64_t o, float value) {
        ++seen[static_cast<std::size_t>(r * in.outputs + o)];
        if (value != expected_value(in, r, o)) ++wrong;
      });
    }
  }
  CHECK(wrong == 0);
  CHECK(std::ranges::all_of(seen, [](int times) { return times == 1; }));
}

}  // namespace

TEST_CASE("a quad adds the products of its four codes", "[quant][integer]") {
  const std::int8_t x[] = {-128, 127, 3, -1}, weight[] = {-127, 127, -5, 100};
  CHECK(add_quad(7, load_quad(x), load_quad(weight)) == 7 + 128 * 127 + 127 * 127 - 15 - 100);
}

TEST_CASE("the threads of CUDA's product by group make the law's bits, each output once",
          "[quant][integer]") {
  const auto [rows, outputs, inputs, size] =
      GENERATE(table<std::int64_t, std::int64_t, std::int64_t, std::int64_t>({{1, 1, 4, 4},
                                                                              {5, 70, 96, 32},
                                                                              {17, 64, 80, 40},
                                                                              {67, 130, 256, 128},
                                                                              {64, 3, 128, 64}}));
  const GroupedOperands operands(rows, outputs, inputs, size);
  check_tiles<1>(operands);
  check_tiles<4>(operands);
}
