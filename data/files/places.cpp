#include "data/files/places.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <system_error>

#include "data/base/error.h"
#include "data/files/file_descriptor.h"

namespace dualpath {
namespace {

namespace fs = std::filesystem;

constexpr int kMostLinks = 40;  // Linux's own limit

/// "x" for "x/".
fs::path without_slash(const fs::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

/// The absolute path, without links as far as it exists.
fs::path resolved(const fs::path& path) {
  return without_slash(fs::weakly_canonical(fs::absolute(followed(path))));
}

bool same_place(const fs::path& a, const fs::path& b) {
  std::error_code missing;
  return a == b || fs::equivalent(a, b, missing);
}

}  // namespace

fs::path followed(const fs::path& path) {
  fs::path place = without_slash(path);
  for (int links = 0; fs::is_symlink(place); ++links) {
    if (links == kMostLinks) throw Error("{}: too many links, one behind another", path.string());
    place = parent_directory(place) / fs::read_symlink(place);
  }
  return place;
}

bool is_or_lies_in(const fs::path& inner, const fs::path& outer) {
  const fs::path wanted = resolved(outer);
  fs::path place = resolved(inner);
  while (!same_place(place, wanted)) {
    if (place == place.root_path()) return false;
    place = place.parent_path();
  }
  return true;
}

bool is_mount_point(const fs::path& path) {
  struct statx status {};
  if (::statx(AT_FDCWD, path.c_str(), 0, STATX_TYPE, &status) != 0) return false;
  return (status.stx_attributes_mask & status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

}  // namespace dualpath
