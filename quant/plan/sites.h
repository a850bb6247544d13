#pragma once

#include "modules/execute/structure.h"
#include "modules/network/site.h"
#include "quant/plan/table.h"

namespace dualpath::quant {

using Sites = Table<modules::Site, &modules::Site::name>;

/// Lists every tensor of a network that a plan may quantize. Weights and inputs of linears come
/// first, then those of convolutions, then the operands of causal attentions. Each kind is in the
/// order of execution.
Sites sites_of(const modules::Structure& structure);

}  // namespace dualpath::quant
