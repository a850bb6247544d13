#pragma once

#include <cstddef>
#include <functional>

namespace dualpath {

/// Calls work(i) once for each i below `count`, from a few threads (one a core, 8 at most). work
/// must not throw. Meanwhile calls seen(n) in this thread, with the number of calls that have ended
/// since the last one; if it throws, no more work begins, and it is thrown on when all have ended.
void for_each_in_threads(std::size_t count, const std::function<void(std::size_t)>& work,
                         const std::function<void(std::size_t)>& seen);

}  // namespace dualpath
