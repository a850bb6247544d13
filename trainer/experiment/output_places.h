#pragma once

#include "trainer/recipe/options.h"

namespace dualpath::trainer {

/// Refuses a run directory that is, holds or lies in the model or the texts. If the model's files
/// are links, it may not hold their targets either. The UsageError names both keys; nothing has
/// been written.
void check_run_place(const Recipe& recipe);

/// Refuses an export directory that is, holds or lies in the model, the texts or the run directory.
/// Without export.output_dir there is nothing to check.
void check_export_place(const Recipe& recipe);

}  // namespace dualpath::trainer
