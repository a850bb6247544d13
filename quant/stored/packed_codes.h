#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace dualpath::quant {

// Codes as compressed-tensors' pack-quantized files hold them. Each code plus 2^(num_bits - 1)
// stands behind the last, from the lowest bit of int32 words up, over their borders. A row ends
// with its last word.

/// Words that so many codes take.
constexpr std::int64_t words_of(std::int64_t codes, int num_bits) {
  constexpr std::int64_t kBits = 32;
  return (codes * num_bits + kBits - 1) / kBits;
}

/// codes: [rows, columns] int8, each of num_bits (at most 8). Result: [rows, words_of(columns)]
/// int32.
at::Tensor pack_codes(const at::Tensor& codes, int num_bits);

/// packed: from pack_codes(). Result: [rows, columns] int8.
at::Tensor unpack_codes(const at::Tensor& packed, int num_bits, std::int64_t columns);

}  // namespace dualpath::quant
