#pragma once

#include "data/batch.h"
#include "modules/state.h"

namespace dualpath::modules {

/// A batch at the first stage, with the towers that have something to do.
State make_state(const data::Batch& batch);

}  // namespace dualpath::modules
