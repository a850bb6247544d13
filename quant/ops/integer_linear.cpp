#include "quant/ops/integer_linear.h"

#include <ATen/ATen.h>
#include <ATen/cpu/Utils.h>

#include "quant/ops/grouped_linear.h"
#include "quant/ops/integer_sums.h"
#include "quant/ops/onednn_linear.h"

namespace dualpath::quant {
namespace {

using at::Tensor;

/// int32 sums, or from oneDNN the float32 they are rounded to. The op takes one input scale. With 1
/// for both scales its floats are the sums, rounded once, as the law rounds them.
Tensor sums_of(const Tensor& codes, const PreparedWeight& weight) {
  if (weight.kind == WeightKind::kOneDnn)
    return onednn_linear(codes, at::ones({1}), weight.data, /*bias=*/{}, at::kFloat);
  return integer_sums(codes, weight.data).narrow(1, 0, weight.outputs());
}

}  // namespace

Tensor integer_linear(const Tensor& codes, const InputScale& input_scale,
                      const PreparedWeight& weight, const Tensor& bias, at::ScalarType dtype) {
  if (weight.is_grouped()) return grouped_linear(codes, input_scale, weight, bias, dtype);
  if (weight.kind == WeightKind::kOneDnn && !input_scale.rows.defined())
    return onednn_linear(codes, weight.scale * input_scale.value, weight.data, bias, dtype);
  return scale_sums(sums_of(codes, weight), input_scale, weight.scale, bias, dtype);
}

std::string integer_kernel(Compute compute, at::Device device) {
  if (!device.is_cpu() || compute != Compute::kInteger || !serves_onednn())
    return integer_sums_route(device.type());
  if (__builtin_cpu_supports("amx-int8")) return "oneDNN (AMX)";
  if (at::cpu::is_avx512_vnni_supported()) return "oneDNN (AVX-512 VNNI)";
  return "oneDNN (AVX2 VNNI)";
}

}  // namespace dualpath::quant
