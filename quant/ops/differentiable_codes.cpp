#include "quant/ops/differentiable_codes.h"

#include <torch/torch.h>

#include "modules/weights/not_finite.h"
#include "quant/arithmetic.h"

namespace dualpath::quant {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

struct ToCode : torch::autograd::Function<ToCode> {
  static Tensor forward(AutogradContext* context, const Tensor& level, int qmin, int qmax) {
    Tensor code = level.round();
    context->save_for_backward({(code >= qmin).logical_and_(code <= qmax)});
    return code.clamp_(qmin, qmax);
  }
  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    return {grads.front() * context->get_saved_variables().front(), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor codes_of_levels(const Tensor& levels, int qmin, int qmax) {
  return ToCode::apply(levels, qmin, qmax);
}

Tensor activation_codes(const Tensor& x, const Tensor& scale, const std::string& site,
                        int num_bits) {
  modules::require_finite(site, x);
  const Grid grid = activation_grid(1.0f, num_bits);
  return codes_of_levels(x.to(at::kFloat) / scale, grid.qmin, grid.qmax);
}

}  // namespace dualpath::quant
