#include "quant/execute/modality_rows.h"

#include <ATen/ATen.h>

#include "modules/weights/to_device.h"

namespace dualpath::quant {
namespace {

using at::Tensor;
using modules::Modality;

struct Part {
  Modality modality;
  Tensor rows;  // [n] int64, their numbers
};

/// The modalities that occur, with their rows.
std::vector<Part> parts_of(const Tensor& kinds, at::Device device) {
  std::vector<Part> parts;
  for (const auto& [name, modality] : modules::kModalities) {
    const Tensor rows = kinds.flatten().eq(static_cast<int>(modality)).nonzero().flatten();
    if (rows.numel() > 0) parts.push_back({modality, modules::to_device(rows, device)});
  }
  return parts;
}

}  // namespace

std::vector<Tensor> by_modality(
    const Tensor& x, const Tensor& kinds,
    const std::function<std::vector<Tensor>(const Tensor&, Modality)>& of_rows) {
  if (!kinds.defined()) return of_rows(x, Modality::kText);
  const Tensor flat = x.reshape({-1, x.size(-1)});
  TORCH_CHECK(kinds.numel() == flat.size(0), flat.size(0), " rows, but ", kinds.numel(), " kinds");
  const std::vector<Part> parts = parts_of(kinds, x.device());
  if (parts.size() == 1) return of_rows(x, parts.front().modality);
  std::vector<Tensor> numbers;
  std::vector<std::vector<Tensor>> made;  // [result][part]
  for (const auto& [modality, rows] : parts) {
    numbers.push_back(rows);
    const std::vector<Tensor> results = of_rows(flat.index_select(0, rows), modality);
    made.resize(results.size());
    for (std::size_t i = 0; i < results.size(); ++i) made[i].push_back(results[i]);
  }
  const Tensor order = at::cat(numbers).argsort();
  std::vector<Tensor> whole;
  for (const std::vector<Tensor>& of_parts : made) {
    std::vector<std::int64_t> sizes = x.sizes().vec();
    sizes.back() = of_parts.front().size(-1);
    whole.push_back(at::cat(of_parts).index_select(0, order).view(sizes));
  }
  return whole;
}

}  // namespace dualpath::quant
