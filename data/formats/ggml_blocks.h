#pragma once

#include <cstddef>

namespace dualpath::data {

// One block of each of ggml's quantized types to float32, in the order of operations of ggml and of
// the `gguf` Python package, so that the bits are theirs. block: as many bytes, values: as many
// elements as block_of() says.

void dequantize_q4_0(const std::byte* block, float* values);
void dequantize_q4_1(const std::byte* block, float* values);
void dequantize_q5_0(const std::byte* block, float* values);
void dequantize_q5_1(const std::byte* block, float* values);
void dequantize_q8_0(const std::byte* block, float* values);
void dequantize_q2_k(const std::byte* block, float* values);
void dequantize_q3_k(const std::byte* block, float* values);
void dequantize_q4_k(const std::byte* block, float* values);
void dequantize_q5_k(const std::byte* block, float* values);
void dequantize_q6_k(const std::byte* block, float* values);

}  // namespace dualpath::data
