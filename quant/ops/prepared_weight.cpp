#include "quant/ops/prepared_weight.h"

#include <utility>

#include "quant/kernels/grouped_product.h"
#include "quant/ops/grouped_linear.h"
#include "quant/ops/integer_sums.h"
#include "quant/ops/onednn_linear.h"

namespace dualpath::quant {

WeightKind fastest_kind(at::Device device, std::int64_t group_size) {
  const bool grouped = group_size > 0;
  if (device.is_cuda()) return grouped ? WeightKind::kCodes : WeightKind::kPaddedCodes;
  if (!device.is_cpu()) return WeightKind::kCodes;
  if (!grouped) return serves_onednn() ? WeightKind::kOneDnn : WeightKind::kCodes;
  const bool serves_panels = has_grouped_product() && group_size % kQuad == 0;
  return serves_panels ? WeightKind::kPanels : WeightKind::kCodes;
}

PreparedWeight prepare(const GridWeight& weight, WeightKind kind, PreparedWeight before) {
  PreparedWeight prepared{.kind = kind, .data = {}, .scale = weight.scale};
  if (before.kind == kind) prepared.data = std::move(before.data);
  switch (kind) {
    case WeightKind::kCodes:
      prepared.data = weight.codes;
      break;
    case WeightKind::kPaddedCodes:
      prepared.data = pad_for_sums(weight.codes);
      break;
    case WeightKind::kPanels:
      prepare_panels(weight, prepared.data);
      break;
    case WeightKind::kOneDnn:
      if (prepared.data.defined()) {
        onednn_prepare_again(weight.codes, prepared.data);
      } else {
        prepared.data = onednn_prepare(weight.codes);
      }
  }
  return prepared;
}

}  // namespace dualpath::quant
