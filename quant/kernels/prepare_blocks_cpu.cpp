#include "quant/kernels/prepare_blocks.h"

#include <cstring>

#include "data/base/vector_clones.h"

namespace dualpath::quant {
namespace {

constexpr std::int64_t kGroup = 4, kGroups = kPreparedBlock / kGroup;

/// Moves a group as one word: a block is a transposed matrix of words.
DP_INLINE void prepare_block(const std::int8_t* codes, std::int64_t inputs, std::int8_t* prepared) {
  std::uint32_t words[kGroups][kPreparedBlock];
  for (std::int64_t output = 0; output < kPreparedBlock; ++output) {
    std::uint32_t row[kGroups];
    std::memcpy(row, codes + output * inputs, sizeof row);
    for (std::int64_t group = 0; group < kGroups; ++group) words[group][output] = row[group];
  }
  std::memcpy(prepared, words, sizeof words);
}

DP_INLINE std::int32_t sum_of(const std::int8_t* codes, std::int64_t n) {
  std::int32_t sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += codes[i];
  return sum;
}

}  // namespace

DP_VECTOR_CLONES void prepare_blocks_cpu(const std::int8_t* codes, std::int64_t inputs,
                                         std::int64_t begin, std::int64_t end,
                                         std::int8_t* prepared, std::int32_t* compensation) {
  for (std::int64_t output = begin; output < end; ++output)
    compensation[output] = -sum_of(codes + output * inputs, inputs);
  for (std::int64_t output = begin; output < end; output += kPreparedBlock) {
    for (std::int64_t input = 0; input < inputs; input += kPreparedBlock) {
      prepare_block(codes + output * inputs + input, inputs,
                    prepared + output * inputs + input * kPreparedBlock);
    }
  }
}

}  // namespace dualpath::quant
