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

Tensor prepare(const Tensor& matrix) {
  const c10::IValue any_batch_size;
  return call("mkldnn::_reorder_linear_weight", "", {matrix, any_batch_size});
}

Tensor product(const Tensor& x, const Tensor& prepared, const Tensor& bias_or_none) {
  const c10::IValue bias = bias_or_none.defined() ? c10::IValue(bias_or_none) : c10::IValue();
  const c10::List<std::optional<at::Scalar>> no_scalars;
  return call("mkldnn::_linear_pointwise", "",
              {x, prepared, bias, "none", no_scalars, /*algorithm=*/""});
}

Tensor product_and_sum(const Tensor& x, const Tensor& sum, const Tensor& prepared) {
  return call("mkldnn::_linear_pointwise", "binary",
              {x, sum, prepared, /*bias=*/c10::IValue(), "add"});
}

/// Tries the ops: they throw on a processor or build without them.
bool packing_works() {
  constexpr std::int64_t kSize = 16;
  try {
    const Tensor one = at::eye(kSize, at::kBFloat16), prepared = prepare(one);
    return product(one, prepared, {}).equal(one) &&
           product_and_sum(one, one.clone(), prepared).equal(one + one);
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

bool can_prepare(at::ScalarType dtype, at::Device device) {
  static const bool works = packing_works();
  return works && device.is_cpu() && dtype == at::kBFloat16;
}

RightOperand RightOperand::prepared(const Tensor& matrix) {
  return can_prepare(matrix.scalar_type(), matrix.device()) ? RightOperand({}, prepare(matrix))
                                                            : plain(matrix);
}

Tensor RightOperand::multiply(const Tensor& x, const Tensor& bias) const {
  return prepared_.defined() ? product(x, prepared_, bias) : at::linear(x, plain_, bias);
}

void RightOperand::add_product(const Tensor& x, Tensor& sum) const {
  if (prepared_.defined()) {
    sum = product_and_sum(x, sum, prepared_);
  } else {
    sum.addmm_(x, plain_.t());
  }
}

}  // namespace dualpath::modules
