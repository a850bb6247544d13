#pragma once

#include "data/samples/batch.h"
#include "modules/network/state.h"

namespace dualpath::modules {

/// A batch at the first stage, with the towers that have something to do.
State make_state(const data::Batch& batch);

}  // namespace dualpath::modules
