#pragma once

#include <string>

#include "modules/weights/tensor_view.h"
#include "trainer/processes/processes.h"

namespace dualpath::trainer {

/// Refuses tensors that are not, to the bit, the first process's: an Error naming the process. They
/// are compared by SHA-256. what: "scales", for the message.
void require_same(Processes& processes, const std::string& what,
                  const modules::NamedTensors& tensors);

}  // namespace dualpath::trainer
