#include "quant/compare/saturation.h"

#include <ATen/ATen.h>

#include <set>

#include "quant/arithmetic.h"
#include "quant/calibrate/position_rows.h"

namespace dualpath::quant {
namespace {

double saturated_values(const at::Tensor& x, float scale, int num_bits) {
  const Grid grid = activation_grid(scale, num_bits);
  const at::Tensor levels = (x.to(at::kFloat) / scale).round();
  return (levels.lt(grid.qmin) | levels.gt(grid.qmax)).sum().item<double>();
}

}  // namespace

Saturation::Saturation(const Plan& plan, const ActivationScales& scales)
    : plan_(plan), scales_(scales) {}

void Saturation::count(const modules::LinearRefs& refs, const at::Tensor& x,
                       const modules::State& state, modules::Modality stream) {
  std::set<std::string> groups;
  for (const modules::LinearRef& ref : refs) {
    const PlannedLinear* linear = plan_.linear(ref.name);
    if (linear && linear->is_static()) groups.insert(linear->group);
  }
  const at::Tensor rows = x.reshape({-1, x.size(-1)});
  for (const std::string& name : groups) {
    const TensorGroup& group = *plan_.groups.find(name);
    for (const auto& [modality, chosen] : rows_by_modality(x, state, stream)) {
      const at::Tensor values = rows.index({chosen});
      if (values.numel() == 0) continue;
      const float scale = scales_.get(group.scale_name(modality)).item<float>();
      Count& count = counts_[name][modality];
      count.saturated += saturated_values(values, scale, group.args.num_bits);
      count.values += static_cast<double>(values.numel());
    }
  }
}

void Saturation::merge(const Saturation& other) {
  for (const auto& [group, by_modality] : other.counts_) {
    for (const auto& [modality, more] : by_modality) {
      Count& count = counts_[group][modality];
      count.saturated += more.saturated;
      count.values += more.values;
    }
  }
}

SaturatedShares Saturation::shares(const std::string& group) const {
  SaturatedShares shares;
  const auto found = counts_.find(group);
  if (found == counts_.end()) return shares;
  for (const auto& [modality, count] : found->second)
    shares[modality] = count.saturated / count.values;
  return shares;
}

}  // namespace dualpath::quant
