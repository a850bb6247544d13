#include "modules/ops/right_operand.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <exception>

namespace dualpath::modules {
namespace {

using at::Tensor;

Tensor call(const char* name, const char* overload, c10::Stack arguments) {
  c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).callBoxed(arguments);
  return arguments.front().toTensor();
}

Tensor pack(const Tensor& matrix) {
  const c10::IValue any_batch_size;
  return call("mkldnn::_reorder_linear_weight", "", {matrix, any_batch_size});
}

Tensor product(const Tensor& x, const Tensor& packed, const Tensor& bias_or_none) {
  const c10::IValue bias = bias_or_none.defined() ? c10::IValue(bias_or_none) : c10::IValue();
  const c10::List<std::optional<at::Scalar>> no_scalars;
  return call("mkldnn::_linear_pointwise", "",
              {x, packed, bias, "none", no_scalars, /*algorithm=*/""});
}

Tensor product_and_sum(const Tensor& x, const Tensor& sum, const Tensor& packed) {
  return call("mkldnn::_linear_pointwise", "binary",
              {x, sum, packed, /*bias=*/c10::IValue(), "add"});
}

/// Tries the ops: they throw on a processor or build without them.
bool packing_works() {
  constexpr std::int64_t kSize = 16;
  try {
    const Tensor one = at::eye(kSize, at::kBFloat16), packed = pack(one);
    return product(one, packed, {}).equal(one) &&
           product_and_sum(one, one.clone(), packed).equal(one + one);
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

bool packs(at::ScalarType dtype, at::Device device) {
  static const bool works = packing_works();
  return works && device.is_cpu() && dtype == at::kBFloat16;
}

RightOperand RightOperand::packed(const Tensor& matrix) {
  return packs(matrix.scalar_type(), matrix.device()) ? RightOperand({}, pack(matrix))
                                                      : plain(matrix);
}

Tensor RightOperand::multiply(const Tensor& x, const Tensor& bias) const {
  return packed_.defined() ? product(x, packed_, bias) : at::linear(x, plain_, bias);
}

void RightOperand::add_product(const Tensor& x, Tensor& sum) const {
  if (packed_.defined()) {
    sum = product_and_sum(x, sum, packed_);
  } else {
    sum.addmm_(x, plain_.t());
  }
}

}  // namespace dualpath::modules
