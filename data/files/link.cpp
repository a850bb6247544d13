#include "data/files/link.h"

#include <system_error>

#include "data/base/error.h"

namespace dualpath {

namespace fs = std::filesystem;

bool exists_behind_links(const fs::path& path) {
  std::error_code unreachable;  // a link to itself
  if (fs::exists(path, unreachable)) return true;
  if (fs::is_symlink(path)) {
    throw Error("{}: is a link to {}, which does not exist", path.string(),
                fs::read_symlink(path).string());
  }
  return false;
}

}  // namespace dualpath
