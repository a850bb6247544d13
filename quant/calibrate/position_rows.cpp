#include "quant/calibrate/position_rows.h"

#include <ATen/ATen.h>

#include <vector>

namespace dualpath::quant {
namespace {

bool is_of_positions(const at::Tensor& x, const at::Tensor& mask) {
  return x.dim() > 2 ? x.size(0) == mask.size(0) && x.size(1) == mask.size(1)
                     : x.size(0) == mask.numel();
}

/// Marks the rows of x at chosen positions: [N] bool. chosen: [B, T] bool.
at::Tensor rows_of(const at::Tensor& x, const at::Tensor& chosen) {
  if (x.dim() < 3) return chosen.flatten();
  std::vector<std::int64_t> sizes = x.sizes().vec();
  sizes.pop_back();
  at::Tensor rows = chosen;
  while (rows.dim() < static_cast<std::int64_t>(sizes.size())) rows = rows.unsqueeze(-1);
  return rows.expand(sizes).flatten();
}

}  // namespace

at::Tensor all_rows(const at::Tensor& x) {
  return at::ones({x.numel() / x.size(-1)}, x.options().dtype(at::kBool));
}

at::Tensor real_rows(const at::Tensor& x, const at::Tensor& mask) {
  return mask.defined() && is_of_positions(x, mask) ? rows_of(x, mask) : all_rows(x);
}

std::vector<ModalityRows> rows_by_modality(const at::Tensor& x, const modules::State& state,
                                           modules::Modality stream) {
  const at::Tensor &mask = state.stream(stream).mask, &kinds = state.kinds;
  if (stream != modules::Modality::kText || !kinds.defined() || !is_of_positions(x, mask))
    return {{stream, real_rows(x, mask)}};
  std::vector<ModalityRows> counted;
  for (const auto& [name, modality] : modules::kModalities)
    counted.push_back({modality, rows_of(x, mask & kinds.eq(static_cast<int>(modality)))});
  return counted;
}

}  // namespace dualpath::quant
