#pragma once

#include <functional>

namespace dualpath {

/// Runs `work` with at least 8 MiB of stack, the usual `ulimit -s`, and returns its result. Threads
/// that it makes get as much. `work` must not throw.
int run_with_usual_stack(const std::function<int()>& work);

}  // namespace dualpath
