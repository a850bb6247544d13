#pragma once

namespace dualpath {

/// From now on SIGINT and SIGTERM only set a flag, which long loops look at between two steps.
/// A second signal ends the process at once. main calls it once.
void install_interrupt_handlers();
bool interrupted();
/// Throws Interrupted if a signal came.
void throw_if_interrupted();

}  // namespace dualpath
