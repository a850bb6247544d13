#pragma once

#include <nlohmann/json_fwd.hpp>

#include "data/formats/json.h"
#include "quant/plan/plan.h"
#include "quant/scheme.h"

namespace dualpath::quant {

/// The `quantization_config` of an export's config.json, in compressed-tensors' words. Linears of
/// one config group that overrides part are groups of their own.
nlohmann::json quantization_config(const QuantizeOptions& options, const Plan& plan);

/// Its reader: what of QuantizeOptions it holds, all else the default. A scheme that does not run
/// is an Error naming the key.
QuantizeOptions read_quantization_config(const data::JsonObject& config);

}  // namespace dualpath::quant
