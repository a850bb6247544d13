#include "quant/calibrate/group_observer.h"

#include <ATen/ATen.h>

namespace dualpath::quant {
namespace {

constexpr const char* kAll = "all";

/// Marks the rows of all modalities: [N] bool.
at::Tensor all_of(const std::vector<ModalityRows>& counted) {
  at::Tensor rows = counted.front().rows;
  for (std::size_t i = 1; i < counted.size(); ++i) rows = rows.logical_or(counted[i].rows);
  return rows;
}

}  // namespace

void GroupObserver::observe(const at::Tensor& x, const std::vector<ModalityRows>& counted) {
  if (counted.empty()) return;
  all_->observe(x, all_of(counted));
  for (const auto& [modality, rows] : counted) {
    // What a device's mask holds is read later, so there an observer may have seen nothing.
    if (!rows.is_cpu() || rows.any().item<bool>()) made(modality).observe(x, rows);
  }
}

modules::NamedTensors GroupObserver::seen() const {
  modules::NamedTensors seen{{kAll, all_->seen()}};
  for (const auto& [modality, observer] : by_modality_) {
    if (observer->range().count > 0) seen.emplace(modules::name_of(modality), observer->seen());
  }
  return seen;
}

void GroupObserver::add(const modules::NamedTensors& seen) {
  all_->add(seen.at(kAll));
  for (const auto& [word, modality] : modules::kModalities) {
    const auto found = seen.find(std::string(word));
    if (found != seen.end()) made(modality).add(found->second);
  }
}

const Observer* GroupObserver::of(modules::Modality modality) const {
  const auto found = by_modality_.find(modality);
  const bool is_seen = found != by_modality_.end() && found->second->range().count > 0;
  return is_seen ? found->second.get() : nullptr;
}

ModalityRanges GroupObserver::modality_ranges() const {
  ModalityRanges ranges;
  for (const auto& [modality, observer] : by_modality_) {
    const ObservedRange range = observer->range();
    if (range.count > 0) ranges[modality] = range;
  }
  return ranges;
}

Observer& GroupObserver::made(modules::Modality modality) {
  std::unique_ptr<Observer>& observer = by_modality_[modality];
  if (!observer) observer = make_observer(kind_);
  return *observer;
}

}  // namespace dualpath::quant
