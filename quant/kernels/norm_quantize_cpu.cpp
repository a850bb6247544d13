#include <algorithm>
#include <cstddef>
#include <vector>

#include "data/base/vector_clones.h"
#include "quant/kernels/mask_gradient.h"
#include "quant/kernels/norm_quantize.h"
#include "quant/kernels/quantize.h"

namespace dualpath::quant {
namespace {

using data::BFloat16;
using data::Float16;
using data::Float32;
using modules::NormRows;

std::int64_t size_of(data::Element element) {
  return element == data::Element::kFloat32 ? sizeof(float) : sizeof(std::uint16_t);
}

/// Cuts a batch into blocks of rows, whose values stay in the cache between the two kernels. The
/// kernels are the very ones that run alone, and so are their bits.
class Blocks {
 public:
  explicit Blocks(const NormRows& in)
      : in_(in), row_bytes_(in.width * size_of(in.element)), rows_(rows_of(in.width)) {}

  /// Calls body(rows, first) for each block. first is its first row's number.
  template <class Body>
  void each(const Body& body) const {
    for (std::int64_t first = 0; first < in_.rows; first += rows_) {
      NormRows block = in_;
      block.x = at(in_.x, first);
      block.rows = std::min(rows_, in_.rows - first);
      body(block, first);
    }
  }
  std::size_t most_values() const { return static_cast<std::size_t>(rows_ * in_.width); }
  /// Room for a block's values.
  std::vector<std::byte> values() const {
    return std::vector<std::byte>(static_cast<std::size_t>(rows_ * row_bytes_));
  }
  const std::byte* at(const void* tensor, std::int64_t row) const {
    return static_cast<const std::byte*>(tensor) + row * row_bytes_;
  }
  std::byte* at(void* tensor, std::int64_t row) const {
    return static_cast<std::byte*>(tensor) + row * row_bytes_;
  }

 private:
  static std::int64_t rows_of(std::int64_t width) {
    constexpr std::int64_t kValues = 8192;
    return std::max<std::int64_t>(1, kValues / width);
  }

  NormRows in_;
  std::int64_t row_bytes_, rows_;
};

/// Computes the norm again, from the saved sums.
template <class Type>
DP_INLINE void normalize_rows(const NormRows& in, const float* inverse_rms, void* y_out) {
  const auto* x = static_cast<const typename Type::Stored*>(in.x);
  auto* y = static_cast<typename Type::Stored*>(y_out);
  for (std::int64_t row = 0; row < in.rows; ++row, x += in.width, y += in.width) {
    for (std::int64_t i = 0; i < in.width; ++i)
      y[i] = Type::store(Type::load(x[i]) * inverse_rms[row] * in.weight[i]);
  }
}

#define DP_NORMALIZE_KERNEL(Type)                                                                \
  DP_VECTOR_CLONES void normalize(Type, const NormRows& in, const float* inverse_rms, void* y) { \
    normalize_rows<Type>(in, inverse_rms, y);                                                    \
  }

DP_NORMALIZE_KERNEL(Float32)
DP_NORMALIZE_KERNEL(BFloat16)
DP_NORMALIZE_KERNEL(Float16)

void normalize(const NormRows& in, const float* inverse_rms, void* y) {
  data::visit(in.element, [&](auto type) { normalize(type, in, inverse_rms, y); });
}

}  // namespace

std::int64_t norm_quantize_cpu(const NormRows& in, float eps, Grid grid, std::int8_t* codes,
                               float* inverse_rms) {
  const Blocks blocks(in);
  std::vector<std::byte> y = blocks.values();
  std::int64_t non_finite = 0;
  blocks.each([&](const NormRows& block, std::int64_t first) {
    modules::rms_norm_cpu(block, eps, y.data(), inverse_rms + first);
    non_finite += quantize_cpu(in.element, y.data(), block.rows * in.width, grid,
                               codes + first * in.width, nullptr);
  });
  return non_finite;
}

void norm_quantize_backward_cpu(const NormRows& in, const float* inverse_rms, Grid grid,
                                const void* grad, void* grad_x) {
  const Blocks blocks(in);
  std::vector<std::byte> y = blocks.values();
  std::vector<std::int8_t> codes(blocks.most_values());
  std::vector<std::uint8_t> in_range((codes.size() + 7) / 8);
  blocks.each([&](const NormRows& block, std::int64_t first) {
    const std::int64_t n = block.rows * in.width;
    normalize(block, inverse_rms + first, y.data());
    quantize_cpu(in.element, y.data(), n, grid, codes.data(), in_range.data());
    mask_gradient_cpu(in.element, blocks.at(grad, first), in_range.data(), n, y.data());
    modules::rms_norm_backward_cpu(block, inverse_rms + first, y.data(), blocks.at(grad_x, first));
  });
}

}  // namespace dualpath::quant
