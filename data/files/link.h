#pragma once

#include <filesystem>

namespace dualpath {

/// Whether something is there, links followed. A link that leads nowhere is an Error that names its
/// target: whoever made it meant a file.
bool exists_behind_links(const std::filesystem::path& path);

}  // namespace dualpath
