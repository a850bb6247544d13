#include "quant/calibrate/group_observer.h"

#include <algorithm>

namespace dualpath::quant {
namespace {

ObservedRange joined(const ObservedRange& a, const ObservedRange& b) {
  if (a.count == 0) return b;
  return {std::min(a.min, b.min), std::max(a.max, b.max), a.count + b.count};
}

}  // namespace

void GroupObserver::observe(const ModalityRanges& rows) {
  ObservedRange all;
  for (const auto& [modality, range] : rows) {
    std::unique_ptr<Observer>& observer = by_modality_[modality];
    if (!observer) observer = make_observer(kind_);
    observer->observe(range);
    all = joined(all, range);
  }
  whole_->observe(all);
}

ModalityRanges GroupObserver::modality_ranges() const {
  ModalityRanges ranges;
  for (const auto& [modality, observer] : by_modality_) ranges[modality] = observer->range();
  return ranges;
}

}  // namespace dualpath::quant
