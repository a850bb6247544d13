#pragma once

#include <cstdint>

namespace dualpath::quant {

/// Blocks in which oneDNN's integer products read a weight ("BA16a64b4a"): 64 outputs by 64 inputs.
/// A block has 16 groups of 4 inputs, a group 64 outputs with their 4 inputs each. Behind all
/// blocks stands for each output the compensation of an input's zero point: minus the sum of its
/// codes.
inline constexpr std::int64_t kPreparedBlock = 64;

/// codes: [outputs, inputs], both multiples of 64. Writes the blocks of outputs begin .. end
/// (multiples of 64) to prepared, which has outputs * inputs bytes in all, and their part of
/// compensation: [outputs].
void prepare_blocks_cpu(const std::int8_t* codes, std::int64_t inputs, std::int64_t begin,
                        std::int64_t end, std::int8_t* prepared, std::int32_t* compensation);

}  // namespace dualpath::quant
