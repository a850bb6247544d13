#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "modules/execute/structure.h"
#include "modules/weights/weight_store.h"
#include "quant/plan/plan.h"

namespace dualpath::quant {

// Names of an export's tensors. A linear's stand behind its name.
namespace stored_name {
inline constexpr const char *kCodes = ".weight", *kPackedCodes = ".weight_packed",
                            *kShape = ".weight_shape", *kScale = ".weight_scale",
                            *kZeroPoint = ".weight_zero_point", *kInputScale = ".input_scale";
/// Name of the scales of an attention's operand: "<name>.k_scale", [heads, 1, 1].
std::string scale(const PlannedAttention& attention, modules::Operand operand);
}  // namespace stored_name

/// Shape of a convolution's scales: [out_channels, 1, 1...], which broadcasts to its weight.
std::vector<std::int64_t> scale_shape(const PlannedConv& conv);

/// One tensor of an export.
struct PlannedBytes {
  std::string name;
  std::vector<std::int64_t> shape;
  std::string dtype;  ///< in safetensors' spelling: "I8", "BF16", "F32"
  std::int64_t bytes = 0;
  std::string scheme = {};  ///< the config group's name; empty if it stays in float
};

/// The dtype of an unquantized weight in an export: the source's. If the source holds blocks or the
/// weight is trained, it is `compute` (the dtype the model runs in), and float32 for vectors
/// (norms, biases). So a reload computes with the same values.
at::ScalarType exported_dtype(const modules::WeightInfo& info, at::ScalarType compute);

/// Every tensor of an export, in the order of the store.
std::vector<PlannedBytes> planned_bytes(const Plan& plan, const modules::WeightStore& weights,
                                        at::ScalarType compute);
/// Bytes that a cache holds of one token: keys and values of all causal attentions.
std::int64_t cache_bytes_per_token(const Plan& plan, const modules::Structure& structure,
                                   at::ScalarType compute);
std::int64_t total_bytes(const std::vector<PlannedBytes>& weights);

}  // namespace dualpath::quant
