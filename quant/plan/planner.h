#pragma once

#include "modules/execute/structure.h"
#include "quant/plan/plan.h"
#include "quant/scheme.h"

namespace dualpath::quant {

/// Linears of one input that are quantized differently are tensor groups of their own. Targets that
/// match nothing, inputs that a group_size does not divide, an attention_scheme's attentions that
/// are not causal and overrides of other sites than weights and inputs that are quantized are a
/// UsageError that lists every case.
Plan make_plan(const modules::Structure& structure, const QuantizeOptions& options);

}  // namespace dualpath::quant
