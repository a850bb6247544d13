#pragma once

#include "quant/calibrate/calibration.h"
#include "trainer/experiment/experiment.h"

namespace dualpath::trainer {

/// Refuses processes that do not make the same run: another program, recipe, model, tokenizer, plan
/// or text than the first process's is an Error naming the process and the difference. Keys that no
/// result depends on, and paths, may differ.
void require_same_run(const Experiment& experiment, const quant::CalibrationSource& source);

/// Refuses a calibration that is not, to the bit, the first process's.
void require_same_calibration(Processes& processes, const quant::Calibration& calibration);

}  // namespace dualpath::trainer
