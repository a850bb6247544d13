#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dualpath {

/// The name in `names` with the smallest edit distance to `wanted`, for "did you mean"; a letter in
/// another case is nearer than another letter. names must not be empty.
std::string nearest(std::string_view wanted, const std::vector<std::string>& names);

}  // namespace dualpath
