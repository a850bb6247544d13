#pragma once

#include "modules/execute/structure.h"
#include "modules/network/site.h"
#include "quant/plan/table.h"

namespace dualpath::quant {

using Sites = Table<modules::Site, &modules::Site::name>;

/// Lists every tensor of a network that a plan may quantize, each kind in the order of execution:
/// weights and inputs of linears, then of convolutions, then the operands of causal attentions.
Sites sites_of(const modules::Structure& structure);

}  // namespace dualpath::quant
