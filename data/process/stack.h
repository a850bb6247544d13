#pragma once

#include <functional>

namespace dualpath {

/// Runs `work`, which must not throw, with at least 8 MiB of stack, the usual `ulimit -s`, and
/// returns what it returns. Threads it makes get as much.
int run_with_usual_stack(const std::function<int()>& work);

}  // namespace dualpath
