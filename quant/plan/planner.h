#pragma once

#include "modules/execute/structure.h"
#include "quant/plan/plan.h"
#include "quant/scheme.h"

namespace dualpath::quant {

/// Makes the plan. Linears of one input that are quantized differently are tensor groups of their
/// own. A UsageError lists every case of these mistakes:
/// - targets that match nothing,
/// - inputs that a group_size does not divide,
/// - attentions of an attention_scheme that are not causal,
/// - overrides of sites other than quantized weights and inputs.
Plan make_plan(const modules::Structure& structure, const QuantizeOptions& options);

}  // namespace dualpath::quant
