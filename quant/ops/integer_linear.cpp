#include "quant/ops/integer_linear.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/cpu/Utils.h>

#include <exception>

#include "quant/kernels/grouped_product.h"
#include "quant/ops/grouped_linear.h"
#include "quant/ops/integer_sums.h"
#include "quant/ops/onednn_weight.h"

namespace dualpath::quant {
namespace {

using at::Tensor;

/// The op would multiply by its two scales one after the other, and round in between. So it gets 1
/// as the input's, and the product of both, which is the law's, as the weight's: scale, [N] or [1].
Tensor onednn_linear(const Tensor& codes, const Tensor& scale, const QuantizedWeight& weight,
                     const Tensor& bias_or_none, at::ScalarType dtype) {
  const Tensor weight_zero_point = at::zeros({1}, at::kLong);
  const c10::IValue bias = bias_or_none.defined() ? c10::IValue(bias_or_none) : c10::IValue();
  const c10::List<std::optional<at::Scalar>> no_post_op_arguments;
  constexpr double kInputScale = 1.0, kOutputScale = 1.0;
  constexpr std::int64_t kInputZeroPoint = kUnsignedShift, kOutputZeroPoint = 0;
  const c10::OperatorHandle op =
      c10::Dispatcher::singleton().findSchemaOrThrow("onednn::qlinear_pointwise", "");
  c10::Stack arguments{codes,
                       kInputScale,
                       kInputZeroPoint,
                       weight.packed,
                       scale,
                       weight_zero_point,
                       bias,
                       kOutputScale,
                       kOutputZeroPoint,
                       static_cast<std::int64_t>(dtype),
                       "none",
                       no_post_op_arguments,
                       ""};
  op.callBoxed(arguments);
  return arguments.front().toTensor();
}

/// Processors that add pairs of products in 16 bits saturate where codes are at their ends; a
/// processor or build without the op throws.
bool onednn_is_exact() {
  constexpr std::int64_t kSize = 64;
  try {
    for (const int left : {-128, 127}) {
      for (const int right : {-127, 127}) {
        const Tensor x = at::full({kSize, kSize}, left + kUnsignedShift, at::kByte);
        QuantizedWeight weight{
            at::full({kSize, kSize}, right, at::kChar), at::full({kSize}, 0.1f), {}, {}};
        weight.packed = onednn_pack(weight.codes);
        const Tensor y = onednn_linear(x, weight.scale, weight, {}, at::kFloat);
        if (!y.eq(static_cast<float>(left * right * kSize) * 0.1f).all().item<bool>()) return false;
      }
    }
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

/// Looked at once in a process.
bool serves_onednn() {
  static const bool exact = onednn_is_exact();
  return exact;
}

Tensor sums_of(const Tensor& codes, const QuantizedWeight& weight) {
  const Tensor& right = weight.packed.defined() ? weight.packed : weight.codes;
  return integer_sums(codes, right).narrow(1, 0, weight.scale.size(0));
}

/// The op takes one input scale. With 1 for both scales its floats are the sums, rounded once, as
/// the law rounds them.
Tensor unscaled_sums(const Tensor& codes, const QuantizedWeight& weight) {
  if (!takes_unsigned(weight)) return sums_of(codes, weight);
  return onednn_linear(codes, at::ones({1}), weight, {}, at::kFloat);
}

}  // namespace

bool has_integer_kernel(Strategy weights, Compute compute) {
  if (compute != Compute::kInteger) return false;
  const bool grouped = weights == Strategy::kGroup;
  return at::hasCUDA() || (grouped ? has_grouped_product() : serves_onednn());
}

void pack(QuantizedWeight& weight) {
  if (weight.is_grouped()) return pack_grouped(weight);
  if (weight.codes.is_cuda()) weight.packed = pad_for_sums(weight.codes);
  if (!weight.codes.is_cpu() || !serves_onednn()) return;
  if (weight.packed.defined()) {
    onednn_repack(weight.codes, weight.packed);
  } else {
    weight.packed = onednn_pack(weight.codes);
  }
}

bool takes_unsigned(const QuantizedWeight& weight) {
  return weight.packed.defined() && weight.packed.is_cpu();
}

Tensor integer_linear(const Tensor& codes, const InputScale& input_scale,
                      const QuantizedWeight& weight, at::ScalarType dtype) {
  if (weight.is_grouped()) return grouped_linear(codes, input_scale, weight, dtype);
  const Tensor& bias = weight.bias;
  if (input_scale.rows.defined())
    return scale_sums(unscaled_sums(codes, weight), input_scale.rows, weight.scale, bias, dtype);
  if (takes_unsigned(weight))
    return onednn_linear(codes, weight.scale * input_scale.tensor, weight, bias, dtype);
  return scale_sums(sums_of(codes, weight), input_scale.tensor, weight.scale, bias, dtype);
}

std::string integer_kernel(Compute compute) {
  if (compute != Compute::kInteger || !serves_onednn()) return integer_sums_route();
  if (__builtin_cpu_supports("amx-int8")) return "oneDNN (AMX)";
  if (at::cpu::is_avx512_vnni_supported()) return "oneDNN (AVX-512 VNNI)";
  return "oneDNN (AVX2 VNNI)";
}

}  // namespace dualpath::quant
