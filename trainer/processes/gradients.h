#pragma once

#include <map>
#include <string>
#include <vector>

#include "modules/weights/tensor_view.h"
#include "trainer/processes/processes.h"

namespace dualpath::trainer {

/// Replaces each parameter's gradient by its sum over the processes. Gradients travel in buckets of
/// 25 MB, side by side. A parameter that has a gradient on one process has one on all afterwards. A
/// process without one adds zeros.
void sum_gradients(Processes& processes, const modules::NamedTensors& parameters);

/// Divides parameters among processes, neighbours by name, about equally many elements each.
/// Returns each one's owner.
std::map<std::string, int> owners_of(const Processes& processes,
                                     const modules::NamedTensors& parameters);
/// Sums each parameter's gradient at its owner; elsewhere it is undefined afterwards. Returns the
/// names of those that had one anywhere, ascending.
std::vector<std::string> sum_gradients_at(Processes& processes,
                                          const modules::NamedTensors& parameters,
                                          const std::map<std::string, int>& owners);

}  // namespace dualpath::trainer
