#pragma once

#include "modules/weights/tensor_view.h"
#include "trainer/processes/processes.h"

namespace dualpath::trainer {

/// Replaces each parameter's gradient by its sum over the processes. Gradients travel in buckets of
/// 25 MB, side by side. A parameter that has a gradient on one process has one on all afterwards;
/// where it had none, zeros count.
void sum_gradients(Processes& processes, const modules::NamedTensors& parameters);

}  // namespace dualpath::trainer
