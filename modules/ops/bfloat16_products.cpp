#include "modules/ops/bfloat16_products.h"

#include <ATen/ATen.h>
#include <ATen/ops/addmm_cpu_dispatch.h>
#include <ATen/ops/bmm_cpu_dispatch.h>
#include <ATen/ops/mm_cpu_dispatch.h>
#include <torch/library.h>

#include <algorithm>
#include <cstdint>

#include "modules/ops/right_operand.h"

namespace dualpath::modules {
namespace {

using at::Scalar;
using at::Tensor;

/// Whether to leave a product x y to torch: with few rows, reading y's columns as they lie costs
/// less than a copy of y in float32.
bool is_torchs(const Tensor& x, const Tensor& y) {
  constexpr std::int64_t kFewRows = 32;
  if (y.scalar_type() != at::kBFloat16) return true;
  return x.size(-2) < kFewRows && y.stride(-2) == 1;
}

Tensor widened(const Tensor& x) { return x.to(at::kFloat); }

/// A large y (the head's table) is widened some columns at a time: its copy in float32 would be
/// twice itself.
Tensor mm(const Tensor& x, const Tensor& y) {
  if (is_torchs(x, y)) return at::cpu::mm(x, y);
  const Tensor wide = widened(x);
  if (y.numel() <= kMostWidened) return at::cpu::mm(wide, widened(y)).to(at::kBFloat16);
  Tensor product = at::empty({x.size(0), y.size(1)}, y.options());
  const std::int64_t columns = std::max<std::int64_t>(1, kMostWidened / y.size(0));
  for (std::int64_t begin = 0; begin < y.size(1); begin += columns) {
    const std::int64_t count = std::min(columns, y.size(1) - begin);
    product.narrow(1, begin, count).copy_(at::cpu::mm(wide, widened(y.narrow(1, begin, count))));
  }
  return product;
}

Tensor addmm(const Tensor& sum, const Tensor& x, const Tensor& y, const Scalar& beta,
             const Scalar& alpha) {
  if (is_torchs(x, y)) return at::cpu::addmm(sum, x, y, beta, alpha);
  return at::cpu::addmm(widened(sum), widened(x), widened(y), beta, alpha).to(at::kBFloat16);
}

Tensor& add_mm(Tensor& sum, const Tensor& x, const Tensor& y, const Scalar& beta,
               const Scalar& alpha) {
  if (is_torchs(x, y)) return at::cpu::addmm_(sum, x, y, beta, alpha);
  return sum.copy_(at::cpu::addmm(widened(sum), widened(x), widened(y), beta, alpha));
}

Tensor bmm(const Tensor& x, const Tensor& y) {
  if (is_torchs(x, y)) return at::cpu::bmm(x, y);
  return at::cpu::bmm(widened(x), widened(y)).to(at::kBFloat16);
}

Tensor& bmm_out(const Tensor& x, const Tensor& y, Tensor& out) {
  if (is_torchs(x, y)) return at::cpu::bmm_out(out, x, y);
  const Tensor product = at::cpu::bmm(widened(x), widened(y));
  return out.resize_(product.sizes()).copy_(product);
}

struct SayNothing : c10::WarningHandler {
  void process(const c10::Warning&) override {}
};

/// Replaces torch's kernels for as long as the result lives.
torch::Library replace_kernels() {
  SayNothing handler;  // torch warns of what is meant here
  const c10::WarningUtils::WarningHandlerGuard guard(&handler);
  torch::Library library(torch::Library::IMPL, "aten", c10::DispatchKey::CPU, __FILE__, __LINE__);
  library.impl("mm", mm);
  library.impl("addmm", addmm);
  library.impl("addmm_", add_mm);
  library.impl("bmm", bmm);
  library.impl("bmm.out", bmm_out);
  return library;
}

}  // namespace

bool has_bfloat16_products() { return can_prepare(at::kBFloat16, at::kCPU); }

void speed_up_bfloat16_products() {
  if (has_bfloat16_products()) return;
  static const torch::Library kernels = replace_kernels();
}

}  // namespace dualpath::modules
