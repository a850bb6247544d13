#pragma once

#include <filesystem>

namespace dualpath {

/// The place that a path leads to: the path itself or, for a symbolic link, the last target, which
/// need not exist. It has no slash at the end. A circle of links is an Error.
std::filesystem::path followed(const std::filesystem::path& path);

/// Whether inner is outer or lies somewhere below it. Links, `..`, spellings and bind mounts do not
/// matter; neither of the two needs to exist.
bool is_or_lies_in(const std::filesystem::path& inner, const std::filesystem::path& outer);

/// Whether another file system, or another part of this one, is mounted there: such a directory can
/// be filled, but neither renamed nor removed.
bool is_mount_point(const std::filesystem::path& path);

}  // namespace dualpath
