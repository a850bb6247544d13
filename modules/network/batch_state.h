#pragma once

#include "data/samples/batch.h"
#include "modules/network/state.h"

namespace dualpath::modules {

/// The state of a batch at the first stage, on a device, with the towers that have work. Grids of
/// patches stay on the CPU, and so do copies of what work on the host reads (see State::on_host).
State make_state(const data::Batch& batch, at::Device device);

}  // namespace dualpath::modules
