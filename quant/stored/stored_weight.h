#pragma once

#include "modules/weights/tensor_view.h"
#include "modules/weights/weight_store.h"
#include "quant/ops/grid_weight.h"
#include "quant/plan/plan.h"
#include "quant/stored/layout.h"

namespace dualpath::quant {

/// A planned linear's weight on its grid: the store's codes and scale if it is an export, else
/// quantized from its values. An export whose tensors have other shapes than planned is an Error
/// naming one.
GridWeight grid_weight(const modules::WeightStore& weights, const PlannedLinear& linear);

/// A planned convolution's weight, quantized from its values: codes [out_channels, the rest].
GridWeight grid_weight(const modules::WeightStore& weights, const PlannedConv& conv);

/// A linear's weight as a matrix, [out_features, in_features], whatever its stored shape.
at::Tensor matrix_of(const modules::WeightStore& weights, const modules::LinearRef& ref);
/// The bias in float32; undefined if there is none.
at::Tensor bias_of(const modules::WeightStore& weights, const modules::LinearRef& ref);
at::Tensor bias_of(const modules::WeightStore& weights, const modules::ConvRef& ref);

/// An export's tensors of a weight, by their names behind the module's, in the order of
/// planned_bytes().
modules::NamedTensors stored_tensors(const GridWeight& weight, const PlannedLinear& linear);

}  // namespace dualpath::quant
