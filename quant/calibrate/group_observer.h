#pragma once

#include <map>
#include <memory>
#include <vector>

#include "modules/network/state.h"
#include "quant/calibrate/observer.h"
#include "quant/calibrate/position_rows.h"

namespace dualpath::quant {

/// By what the rows stand for; only of modalities that were seen.
using ModalityRanges = std::map<modules::Modality, ObservedRange>;

/// Shows a tensor group's rows to one observer, and those of each modality to one of their own.
class GroupObserver {
 public:
  explicit GroupObserver(ObserverKind kind) : kind_(kind), all_(make_observer(kind)) {}

  /// x: [N, C] float, finite; counted: which of its rows, no row twice. One call.
  void observe(const torch::Tensor& x, const std::vector<ModalityRows>& counted);
  /// Takes in what `later` saw: see Observer::merge().
  void merge(const GroupObserver& later);

  /// Of all rows.
  const Observer& all() const { return *all_; }
  /// Null if no row stood for it.
  const Observer* of(modules::Modality modality) const;
  ModalityRanges modality_ranges() const;

 private:
  Observer& made(modules::Modality modality);

  ObserverKind kind_;
  std::unique_ptr<Observer> all_;
  std::map<modules::Modality, std::unique_ptr<Observer>> by_modality_;
};

}  // namespace dualpath::quant
