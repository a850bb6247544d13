#pragma once

#include "trainer/experiment/experiment.h"
#include "trainer/experiment/run_directory.h"

namespace dualpath::trainer {

/// The strategy of a training run: the one that its directory was begun with, else the one that
/// fits (choose_strategy()), which a line on stderr tells if it is blockwise. The first process
/// decides for all. A recipe that names another one than the directory's is refused.
Strategy run_strategy(const Experiment& experiment, const RunDirectory& directory);

}  // namespace dualpath::trainer
