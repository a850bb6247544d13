#pragma once

#include <string_view>

namespace dualpath {

/// A place where a test can make the process die or fail. Does nothing unless the environment has
///   DUALPATH_FAILPOINT=name[:count]=kill|error
/// and this is the count-th time (1 if not given) that this process reaches failpoint(name):
/// kill is SIGKILL, error throws Error. A malformed value is an Error at the first failpoint.
void failpoint(std::string_view name);

}  // namespace dualpath
