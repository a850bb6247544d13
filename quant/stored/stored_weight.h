#pragma once

#include "modules/weights/tensor_view.h"
#include "modules/weights/weight_store.h"
#include "quant/ops/grid_weight.h"
#include "quant/plan/plan.h"
#include "quant/stored/layout.h"

namespace dualpath::quant {

/// A planned linear's weight on its grid, on a device: the store's codes and scale if it is an
/// export, else quantized there from its values. An export whose tensors have other shapes than
/// planned is an Error naming one.
GridWeight grid_weight(const modules::WeightStore& weights, const PlannedLinear& linear,
                       at::Device device = at::kCPU);

/// A planned convolution's weight, found likewise: codes [out_channels, the rest].
GridWeight grid_weight(const modules::WeightStore& weights, const PlannedConv& conv,
                       at::Device device = at::kCPU);

/// A linear's weight as a matrix, [out_features, in_features], whatever its stored shape.
at::Tensor matrix_of(const modules::WeightStore& weights, const modules::LinearRef& ref);
/// The bias in float32, on a device; undefined if there is none.
at::Tensor bias_of(const modules::WeightStore& weights, const modules::LinearRef& ref,
                   at::Device device = at::kCPU);
at::Tensor bias_of(const modules::WeightStore& weights, const modules::ConvRef& ref,
                   at::Device device = at::kCPU);

/// An export's tensors of a weight on the CPU, by their names behind the module's, in the order of
/// planned_bytes().
modules::NamedTensors stored_tensors(const GridWeight& weight, const PlannedLinear& linear);
modules::NamedTensors stored_tensors(const GridWeight& weight, const PlannedConv& conv);

}  // namespace dualpath::quant
