#include "quant/stored/packed_codes.h"

#include <ATen/ATen.h>

namespace dualpath::quant {
namespace {

using at::Tensor;

constexpr int kWordBits = 32;

void pack_row(const std::int8_t* codes, std::int64_t columns, int num_bits, std::uint32_t* words) {
  const int offset = 1 << (num_bits - 1);
  std::uint64_t bits = 0;
  int held = 0;
  for (std::int64_t i = 0; i < columns; ++i) {
    bits |= static_cast<std::uint64_t>(codes[i] + offset) << held;
    held += num_bits;
    if (held < kWordBits) continue;
    *words++ = static_cast<std::uint32_t>(bits);
    bits >>= kWordBits;
    held -= kWordBits;
  }
  if (held > 0) *words = static_cast<std::uint32_t>(bits);
}

void unpack_row(const std::uint32_t* words, std::int64_t columns, int num_bits,
                std::int8_t* codes) {
  const int offset = 1 << (num_bits - 1);
  const std::uint64_t mask = (std::uint64_t{1} << num_bits) - 1;
  std::uint64_t bits = 0;
  int held = 0;
  for (std::int64_t i = 0; i < columns; ++i) {
    if (held < num_bits) {
      bits |= static_cast<std::uint64_t>(*words++) << held;
      held += kWordBits;
    }
    codes[i] = static_cast<std::int8_t>(static_cast<int>(bits & mask) - offset);
    bits >>= num_bits;
    held -= num_bits;
  }
}

std::uint32_t* words_in(const Tensor& packed) {
  return reinterpret_cast<std::uint32_t*>(packed.data_ptr<std::int32_t>());
}

}  // namespace

Tensor pack_codes(const Tensor& any_codes, int num_bits) {
  const Tensor codes = any_codes.contiguous();
  const std::int64_t rows = codes.size(0), columns = codes.size(1),
                     words = words_of(columns, num_bits);
  const Tensor packed = at::empty({rows, words}, at::kInt);
  for (std::int64_t row = 0; row < rows; ++row)
    pack_row(codes.const_data_ptr<std::int8_t>() + row * columns, columns, num_bits,
             words_in(packed) + row * words);
  return packed;
}

Tensor unpack_codes(const Tensor& any_packed, int num_bits, std::int64_t columns) {
  const Tensor packed = any_packed.contiguous();
  const std::int64_t rows = packed.size(0), words = words_of(columns, num_bits);
  TORCH_CHECK(packed.size(1) == words, packed.size(1), " words for ", columns, " codes of ",
              num_bits, " bits");
  const Tensor codes = at::empty({rows, columns}, at::kChar);
  for (std::int64_t row = 0; row < rows; ++row)
    unpack_row(words_in(packed) + row * words, columns, num_bits,
               codes.data_ptr<std::int8_t>() + row * columns);
  return codes;
}

}  // namespace dualpath::quant
