#include "quant/position_rows.h"

#include <ATen/ATen.h>

#include <vector>

namespace dualpath::quant {

bool is_of_positions(const at::Tensor& x, const at::Tensor& mask) {
  return x.dim() > 2 ? x.size(0) == mask.size(0) && x.size(1) == mask.size(1)
                     : x.size(0) == mask.numel();
}

at::Tensor rows_of(const at::Tensor& x, const at::Tensor& chosen) {
  if (x.dim() < 3) return chosen.flatten();
  std::vector<std::int64_t> sizes = x.sizes().vec();
  sizes.pop_back();
  at::Tensor rows = chosen;
  while (rows.dim() < static_cast<std::int64_t>(sizes.size())) rows = rows.unsqueeze(-1);
  return rows.expand(sizes).flatten();
}

at::Tensor all_rows(const at::Tensor& x) {
  return at::ones({x.numel() / x.size(-1)}, x.options().dtype(at::kBool));
}

at::Tensor real_rows(const at::Tensor& x, const at::Tensor& mask) {
  return mask.defined() && is_of_positions(x, mask) ? rows_of(x, mask) : all_rows(x);
}

}  // namespace dualpath::quant
