#pragma once

#include "modules/execute/structure.h"
#include "modules/network/site.h"
#include "quant/plan/table.h"

namespace dualpath::quant {

using Sites = Table<modules::Site, &modules::Site::name>;

/// Every tensor of a network that a plan may quantize: weights and inputs of linears, those of
/// convolutions, then the operands of causal attentions, each in the order of execution.
Sites sites_of(const modules::Structure& structure);

}  // namespace dualpath::quant
