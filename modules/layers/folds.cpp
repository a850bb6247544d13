#include "modules/layers/folds.h"

namespace dualpath::modules {

ChannelFold fold(const NormRef& norm, const LinearRefs& consumers) {
  return {.weight = norm.weight_name(),
          .bias = norm.kind == NormKind::kRms ? "" : norm.bias_name(),
          .channels = norm.width,
          .consumers = consumers};
}

ChannelFold fold(const LinearRef& producer, std::int64_t channels, const LinearRefs& consumers) {
  return {.weight = producer.weight_name(),
          .bias = producer.bias ? producer.bias_name() : "",
          .first_row = producer.out_features - channels,
          .channels = channels,
          .consumers = consumers};
}

}  // namespace dualpath::modules
