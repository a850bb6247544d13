#pragma once

#include "modules/weights/tensor_view.h"
#include "modules/weights/weight_store.h"
#include "quant/ops/quantized_weight.h"
#include "quant/plan/plan.h"
#include "quant/stored/layout.h"

namespace dualpath::quant {

/// A planned linear's weight: the store's codes and scale if it is an export, else quantized from
/// its values. An export whose tensors have other shapes than planned is an Error naming one.
QuantizedWeight quantized_weight(const modules::WeightStore& weights, const PlannedLinear& linear);

/// A planned convolution's, quantized from its values: codes [out_channels, the rest].
QuantizedWeight quantized_weight(const modules::WeightStore& weights, const PlannedConv& conv);

/// A linear's weight as a matrix, [out_features, in_features], however it is stored.
at::Tensor matrix_of(const modules::WeightStore& weights, const modules::LinearRef& ref);
/// Its bias in float32; undefined where it has none.
at::Tensor bias_of(const modules::WeightStore& weights, const modules::LinearRef& ref);

/// The tensors an export holds of a weight, by their names behind the module's, in the order of
/// planned_bytes().
modules::NamedTensors stored_tensors(const QuantizedWeight& weight, const PlannedLinear& linear);

}  // namespace dualpath::quant
