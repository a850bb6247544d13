#pragma once

#include <cstdint>

#include "data/formats/element.h"
#include "quant/arithmetic.h"
#include "quant/kernels/scale_sums.h"

namespace dualpath::quant {

// Products with a weight whose inputs come in groups; each group has a scale for each output.

/// Outputs that lie together in a prepared weight.
inline constexpr std::int64_t kPanel = 32;
/// Inputs that are multiplied at once. A group is a multiple of it.
inline constexpr std::int64_t kQuad = 4;

/// A weight as the kernel reads it: panels of outputs, in a panel quads of inputs, in a quad the
/// panel's outputs with their 4 inputs each. A last panel is filled up with zeros.
struct GroupPanels {
  std::int64_t outputs, inputs, group_size;
  std::int8_t* codes;    ///< [panels, inputs / 4, kPanel, 4]
  float* scale;          ///< [panels, groups, kPanel]
  std::int32_t* offset;  ///< [panels, groups, kPanel]: minus 128 times the sum of the group's codes

  std::int64_t groups() const { return inputs / group_size; }
  std::int64_t panels() const { return (outputs + kPanel - 1) / kPanel; }
};

/// codes: [outputs, inputs]; scale: [outputs, groups]. Writes the panels begin .. end of
/// `prepared`.
void prepare_groups_cpu(const std::int8_t* codes, const float* scale, std::int64_t begin,
                        std::int64_t end, const GroupPanels& prepared);

/// The inputs: rows of uint8 codes with zero point 128.
struct GroupedRows {
  const std::uint8_t* codes;  ///< [rows, inputs]
  std::int64_t rows;
  InputScaleView scale;
  const float* bias;  ///< [outputs], or null
};

/// y = the sum over the groups, in ascending order, of scaled_sum(sum, input_scale, weight_scale),
/// + bias, then one cast. y: [rows, outputs] of the element type; only columns of panels begin ..
/// end are written. The int32 sums of a group are exact.
void grouped_product_cpu(const GroupedRows& in, const GroupPanels& weight, std::int64_t begin,
                         std::int64_t end, data::Element element, void* y);

/// A product as CUDA's kernel takes it, from codes that are not arranged anew. Groups are a
/// multiple of kQuad, and all rows begin at multiples of 4 bytes.
struct GroupedCodes {
  const std::int8_t* x;       ///< [rows, inputs]
  const std::int8_t* weight;  ///< [outputs, inputs]
  const float* weight_scale;  ///< [outputs, groups]
  std::int64_t rows, outputs, inputs, group_size;
  InputScaleView scale;
  const float* bias;  ///< [outputs], or null

  DP_HOST_DEVICE std::int64_t groups() const { return inputs / group_size; }
  DP_HOST_DEVICE float input_scale(std::int64_t row) const {
    return scale.values ? scale.values[row * scale.step] : scale.value;
  }
};

/// grouped_product_cpu() of all outputs on device memory, with the same bits. stream is a
/// cudaStream_t.
void grouped_product_cuda(const GroupedCodes& in, data::Element element, void* y, void* stream);

/// Whether this processor has vectors for it. If not, it is a plain loop.
bool has_grouped_product();

}  // namespace dualpath::quant
