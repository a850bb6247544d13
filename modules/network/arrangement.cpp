#include "modules/network/arrangement.h"

#include <ATen/ATen.h>

namespace dualpath::modules {
namespace {

using at::Tensor;

Tensor apply(const Flatten& how, const Tensor& x) { return x.flatten(how.first, how.last); }
Tensor apply(const Unflatten& how, const Tensor& x) { return x.unflatten(how.dim, how.sizes); }
Tensor apply(const Permute& how, const Tensor& x) { return x.permute(how.dims); }
Tensor apply(const Slice& how, const Tensor& x) { return x.narrow(how.dim, how.start, how.length); }
Tensor apply(const Expand& how, const Tensor& x) { return x.expand(how.sizes); }
Tensor apply(const Pad& how, const Tensor& x) { return at::constant_pad_nd(x, how.amounts); }

}  // namespace

Tensor arranged(const Arrangement& arrangement, const Tensor& x) {
  return std::visit([&](const auto& how) { return apply(how, x); }, arrangement);
}

}  // namespace dualpath::modules
