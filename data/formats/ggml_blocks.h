#pragma once

#include <cstddef>

namespace dualpath::data {

// Each decodes one block of a quantized type of ggml's to float32. The operations come in the order
// of ggml and the `gguf` Python package, so the bits are equal. block_of() says how many bytes
// `block` has and how many elements `values`.

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
