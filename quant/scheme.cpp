#include "quant/scheme.h"

namespace dualpath::quant {

const char* name_of(Strategy strategy) {
  return strategy == Strategy::kTensor ? "tensor" : "channel";
}

const char* name_of(ObserverKind kind) {
  return kind == ObserverKind::kMinMax ? "minmax" : "moving_average";
}

}  // namespace dualpath::quant
