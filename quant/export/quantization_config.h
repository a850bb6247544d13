#pragma once

#include <nlohmann/json_fwd.hpp>

#include "data/formats/json.h"
#include "quant/plan/plan.h"
#include "quant/scheme.h"

namespace dualpath::quant {

/// Writes the `quantization_config` of an export's config.json, in compressed-tensors' words. If
/// overrides part a config group, its linears become groups of their own.
nlohmann::json quantization_config(const QuantizeOptions& options, const Plan& plan);

/// Reads a `quantization_config` back. Options that it does not hold keep their defaults. A scheme
/// that does not run is an Error naming the key.
QuantizeOptions read_quantization_config(const data::JsonObject& config);

}  // namespace dualpath::quant
