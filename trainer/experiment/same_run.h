#pragma once

#include "quant/calibrate/calibration.h"
#include "trainer/experiment/experiment.h"

namespace dualpath::trainer {

/// Refuses processes that do not make the same run. Another program, recipe, model, tokenizer or
/// text than the first process's is an Error naming the process and the difference. Paths may
/// differ, and keys that only change what is printed.
void require_same_run(Processes& processes, const Recipe& recipe, const Texts& texts,
                      const modules::Model& model);

}  // namespace dualpath::trainer
