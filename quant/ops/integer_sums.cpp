#include "quant/ops/integer_sums.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <exception>

#include "modules/ops/kernel_call.h"
#include "modules/ops/on_device.h"
#include "quant/kernels/scale_sums.h"
#include "quant/ops/onednn_linear.h"

namespace dualpath::quant {
namespace {

using at::Tensor;

/// Without VNNI, pairs of products are added in 16 bits, which saturate. Only codes at their ends
/// show it, and, since one operand is shifted to unsigned, only some of the four pairs of ends.
bool int_mm_is_exact(at::Device device) {
  constexpr std::int64_t kSize = 256;
  const at::TensorOptions codes = at::TensorOptions(device).dtype(at::kChar);
  try {
    for (const std::int64_t left : {-128, 127}) {
      for (const std::int64_t right : {-128, 127}) {
        const Tensor a = at::full({kSize, kSize}, left, codes);
        const Tensor b = at::full({kSize, kSize}, right, codes);
        const Tensor sums = at::full({kSize, kSize}, left * right * kSize, codes.dtype(at::kInt));
        if (!at::equal(at::_int_mm(a, b.t()), sums)) return false;
      }
    }
    return true;
  } catch (const std::exception&) {
    return false;  // no kernel at all
  }
}

/// Tried once in a process for each kind of device.
bool serves_int_mm(at::DeviceType type) {
  if (type == at::kCUDA) {
    static const bool exact_on_cuda = int_mm_is_exact(at::kCUDA);
    return exact_on_cuda;
  }
  // Where oneDNN does not serve, torch has a plain loop, much slower than chunks in float32.
  static const bool serves = serves_onednn() && int_mm_is_exact(at::kCPU);
  return serves;
}

// torch 2.11 multiplies on CUDA only with more than 16 rows on the left, and widths that are
// multiples of 8. Tensor cores read rows of K best if they begin at multiples of 16 bytes.
constexpr std::int64_t kFewestRows = 32, kColumnsMultiple = 8, kInnerMultiple = 16;

std::int64_t round_up(std::int64_t n, std::int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

/// Adds zeros to codes up to this shape.
Tensor padded(const Tensor& codes, std::int64_t rows, std::int64_t columns) {
  if (codes.size(0) == rows && codes.size(1) == columns) return codes.contiguous();
  return at::constant_pad_nd(codes, {0, columns - codes.size(1), 0, rows - codes.size(0)});
}

Tensor sums_on_cuda(const Tensor& a, const Tensor& b) {
  const Tensor weight = pad_for_sums(b);
  const Tensor input = padded(a, std::max(a.size(0), kFewestRows), weight.size(1));
  return at::_int_mm(input, weight.t()).narrow(0, 0, a.size(0)).narrow(1, 0, b.size(0));
}

/// Cuts b to a's width: the columns added to b count nothing.
Tensor without_padding(const Tensor& b, std::int64_t columns) {
  return b.size(1) == columns ? b : b.narrow(1, 0, columns);
}

Tensor scaled(const Tensor& sums, const InputScaleView& input, const Tensor& weight_scale,
              const Tensor& bias, at::ScalarType dtype) {
  TORCH_CHECK(sums.stride(1) == 1 || sums.size(1) == 1, "sums with gaps in a row");
  const Tensor y = at::empty({sums.size(0), sums.size(1)}, sums.options().dtype(dtype));
  const data::Element element = modules::element_of(dtype);
  const bool rounded = sums.scalar_type() == at::kFloat;
  TORCH_CHECK(rounded ? sums.is_cpu() : sums.scalar_type() == at::kInt, "no sums: ", sums.dtype());
  const SumRows all{sums.const_data_ptr(),
                    rounded,
                    sums.size(0),
                    sums.size(1),
                    sums.stride(0),
                    input,
                    weight_scale.const_data_ptr<float>(),
                    bias.defined() ? bias.const_data_ptr<float>() : nullptr};
  const auto scale_part = [&](std::int64_t begin, std::int64_t end) {
    SumRows part = all;
    part.sums = static_cast<const std::byte*>(all.sums) +
                begin * all.stride * static_cast<std::int64_t>(sums.element_size());
    part.rows = end - begin;
    if (part.input.values) part.input.values += begin * part.input.step;
    scale_sums_cpu(part, element, modules::row_at(y, begin));
  };
  const auto on_cpu = [&] {
    constexpr std::int64_t kGrain = 1 << 15;  // elements that a thread takes at a time
    const std::int64_t grain = std::max<std::int64_t>(1, kGrain / all.columns);
    at::parallel_for(0, all.rows, grain, scale_part);
  };
  const auto on_cuda = [&](void* stream) {
    scale_sums_cuda(all, element, y.mutable_data_ptr(), stream);
  };
  modules::on_device(sums, on_cpu, on_cuda);
  return y;
}

}  // namespace

Tensor pad_for_sums(const Tensor& b) {
  if (!b.is_cuda()) return b;
  return padded(b, round_up(b.size(0), kColumnsMultiple), round_up(b.size(1), kInnerMultiple));
}

Tensor integer_sums(const Tensor& a, const Tensor& b) {
  if (a.is_cuda() && serves_int_mm(at::kCUDA)) return sums_on_cuda(a, b);
  const bool ambiguous = a.size(1) == 1;  // both strides are 1, and torch 2.11 takes the wrong one
  const bool served = a.is_cpu() && serves_int_mm(at::kCPU) && !ambiguous;
  return served ? at::_int_mm(a, b.t()) : integer_sums_in_chunks(a, without_padding(b, a.size(1)));
}

std::string integer_sums_route(at::DeviceType device) {
  const bool has_int_mm = device == at::kCPU || device == at::kCUDA;
  return has_int_mm && serves_int_mm(device) ? "at::_int_mm" : "float32 chunks";
}

Tensor integer_sums_in_chunks(const Tensor& a, const Tensor& b) {
  constexpr std::int64_t kExact =
      1024;  // 1024 * 128 * 128 = 2^24, up to which float32 holds every integer
  Tensor sums = at::zeros({a.size(0), b.size(0)}, a.options().dtype(at::kInt));
  for (std::int64_t k = 0; k < a.size(1); k += kExact) {
    const std::int64_t width = std::min(kExact, a.size(1) - k);
    const Tensor left = a.narrow(1, k, width).to(at::kFloat),
                 right = b.narrow(1, k, width).to(at::kFloat);
    sums += at::matmul(left, right.t()).to(at::kInt);
  }
  return sums;
}

Tensor scale_sums(const Tensor& sums, const InputScale& input_scale, const Tensor& weight_scale,
                  const Tensor& bias, at::ScalarType dtype) {
  const Tensor& scales = input_scale.rows;
  TORCH_CHECK(!scales.defined() || scales.numel() == 1 || scales.numel() == sums.size(0),
              "one input scale, or one a row");
  return scaled(sums, input_scale.view(), weight_scale, bias, dtype);
}

}  // namespace dualpath::quant
