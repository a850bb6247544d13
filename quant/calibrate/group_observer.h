#pragma once

#include <map>
#include <memory>
#include <vector>

#include "modules/network/state.h"
#include "modules/weights/tensor_view.h"
#include "quant/calibrate/observer.h"
#include "quant/calibrate/position_rows.h"

namespace dualpath::quant {

/// Ranges by the modality of the rows; modalities that were not seen have none.
using ModalityRanges = std::map<modules::Modality, ObservedRange>;

/// Shows a tensor group's rows to one observer, and each modality's rows to one of its own.
class GroupObserver {
 public:
  explicit GroupObserver(ObserverKind kind) : kind_(kind), all_(make_observer(kind)) {}

  /// Looks at one call's rows. x: [N, C] float, finite. counted: the rows that count, no row twice.
  void observe(const torch::Tensor& x, const std::vector<ModalityRows>& counted);
  /// Returns what its observers saw, each under the name of its rows' modality or "all".
  modules::NamedTensors seen() const;
  /// Takes in what a later observer saw: see Observer::add().
  void add(const modules::NamedTensors& seen);

  /// The observer of all rows.
  const Observer& all() const { return *all_; }
  /// The observer of one modality's rows; null if there were none.
  const Observer* of(modules::Modality modality) const;
  ModalityRanges modality_ranges() const;

 private:
  Observer& made(modules::Modality modality);

  ObserverKind kind_;
  std::unique_ptr<Observer> all_;
  std::map<modules::Modality, std::unique_ptr<Observer>> by_modality_;
};

}  // namespace dualpath::quant
