#pragma once

#include <map>
#include <memory>

#include "modules/network/state.h"
#include "quant/calibrate/observer.h"

namespace dualpath::quant {

/// By what the rows stand for; only of modalities that were seen.
using ModalityRanges = std::map<modules::Modality, ObservedRange>;

/// What is kept of a tensor group: the range of all its rows, and that of each modality's.
class GroupObserver {
 public:
  explicit GroupObserver(ObserverKind kind) : kind_(kind), whole_(make_observer(kind)) {}

  /// One call's rows.
  void observe(const ModalityRanges& rows);
  /// count is 0 before the first row.
  const ObservedRange& range() const { return whole_->range(); }
  ModalityRanges modality_ranges() const;

 private:
  ObserverKind kind_;
  std::unique_ptr<Observer> whole_;
  std::map<modules::Modality, std::unique_ptr<Observer>> by_modality_;
};

}  // namespace dualpath::quant
