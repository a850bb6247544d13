#pragma once

namespace dualpath {

/// Makes SIGINT, SIGTERM and SIGHUP only set a flag, which long loops look at between two steps. A
/// second SIGINT or SIGTERM ends the process at once, unless it is the first one again within half
/// a second: a scheduler and a launcher may both send it. A second SIGHUP does not: a closing
/// terminal may send two. An ignored SIGHUP stays ignored (nohup). main calls this once.
void install_interrupt_handlers();
bool interrupted();
/// Returns the signal that came first; 0 if none came.
int interrupting_signal();
/// Throws Interrupted if a signal came.
void throw_if_interrupted();

}  // namespace dualpath
