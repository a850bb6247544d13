#pragma once

#include <functional>
#include <string>

#include "modules/network/state.h"

namespace dualpath::modules {

/// Calls visit(name, tensor) for every tensor of the state, defined or not: "ids", "positions",
/// "kinds"; for the decoder's stream "input", "hidden", "mask", "grid", "places", "rotation.cos"
/// and "rotation.sin"; for a tower's also these, behind its modality ("image.hidden").
void for_each_field(State& state,
                    const std::function<void(const std::string&, at::Tensor&)>& visit);

/// Whether stages make the field on the host, from sizes and grids: "positions", "grid", "places".
bool is_made_on_host(const std::string& field);

}  // namespace dualpath::modules
