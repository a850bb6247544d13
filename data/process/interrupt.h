#pragma once

namespace dualpath {

/// From now on SIGINT, SIGTERM and SIGHUP only set a flag, which long loops look at between two
/// steps. A second SIGINT or SIGTERM ends the process at once. SIGHUP, which may come twice where a
/// terminal closes, does not; it stays ignored where it was (nohup). main calls it once.
void install_interrupt_handlers();
bool interrupted();
/// Throws Interrupted if a signal came.
void throw_if_interrupted();

}  // namespace dualpath
