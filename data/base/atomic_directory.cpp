#include "data/base/atomic_directory.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "data/base/atomic_file.h"
#include "data/base/error.h"
#include "data/base/failpoint.h"
#include "data/base/file_descriptor.h"

namespace dualpath {
namespace {

namespace fs = std::filesystem;

void remove_tree(const fs::path& path) {
  std::error_code failure;
  fs::remove_all(path, failure);
  if (failure) throw Error("{}: cannot remove: {}", path.string(), failure.message());
}

void sync_tree(const fs::path& directory) {
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    if (entry.is_symlink()) continue;  // its name is in the directory, and that is synced below
    if (entry.is_directory()) {
      sync_tree(entry.path());
    } else {
      FileDescriptor(entry.path(), O_RDONLY).sync();
    }
  }
  sync_directory(directory);
}

void rename_directory(const fs::path& from, const fs::path& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) throw_system_error(to, "rename into place");
}

/// Afterwards to holds what from held, and what to held is gone.
void replace_directory(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) {
    sync_directory(parent_directory(to));
    remove_tree(from);
    return;
  }
  if (errno != EINVAL && errno != ENOSYS) throw_system_error(to, "replace");
  remove_tree(to);
  rename_directory(from, to);
}

/// What "x.tmp-123", as temporary_path() names it, was to become: "x"; empty if it is no such name.
std::string_view final_name(std::string_view name) {
  const std::size_t mark = name.rfind(".tmp-");
  if (mark == std::string_view::npos) return {};
  const std::string_view pid = name.substr(mark + 5);
  const bool is_pid = !pid.empty() && pid.find_first_not_of("0123456789") == std::string_view::npos;
  return is_pid ? name.substr(0, mark) : std::string_view();
}

/// "x" for "x/": what has a name and a directory it lies in.
fs::path without_slash(const fs::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

template <class Wanted>
void remove_temporaries(const fs::path& directory, Wanted wanted) {
  std::error_code failure;
  const fs::directory_iterator entries(directory, failure);
  if (failure) throw Error("{}: cannot list: {}", directory.string(), failure.message());
  std::vector<fs::path> stale;
  for (const fs::directory_entry& entry : entries) {
    const std::string name = entry.path().filename().string();
    const std::string_view becomes = final_name(name);
    if (!becomes.empty() && wanted(becomes)) stale.push_back(entry.path());
  }
  std::for_each(stale.begin(), stale.end(), remove_tree);
}

}  // namespace

AtomicDirectory::AtomicDirectory(fs::path final_path, Replace replace)
    : final_path_(without_slash(final_path)),
      staging_(temporary_path(final_path_)),
      replace_(replace) {
  refuse_existing();
  remove_tree(staging_);  // a killed run may have had our pid
  std::error_code failure;
  if (!fs::create_directory(staging_, failure)) {
    throw Error("{}: cannot create: {}", staging_.string(), failure.message());
  }
}

AtomicDirectory::~AtomicDirectory() {
  std::error_code ignored;  // nobody could act on it here; remove_stale_temporaries tries again
  if (!committed_) fs::remove_all(staging_, ignored);
}

void AtomicDirectory::refuse_existing() const {
  if (replace_ == Replace::kNo &&
      fs::symlink_status(final_path_).type() != fs::file_type::not_found) {
    throw Error("{}: expected a path that does not exist yet, but it does", final_path_.string());
  }
}

void AtomicDirectory::commit() {
  failpoint("atomic_directory.fsync");
  sync_tree(staging_);
  failpoint("atomic_directory.rename");
  refuse_existing();
  if (fs::exists(final_path_)) {
    replace_directory(staging_, final_path_);
  } else {
    rename_directory(staging_, final_path_);
  }
  committed_ = true;
  sync_directory(parent_directory(final_path_));
  failpoint("atomic_directory.done");
}

void remove_stale_temporaries(const fs::path& directory) {
  remove_temporaries(directory, [](std::string_view) { return true; });
}

void remove_stale_temporaries_of(const fs::path& path) {
  const fs::path named = without_slash(path);
  remove_temporaries(parent_directory(named),
                     [&](std::string_view name) { return name == named.filename().string(); });
}

}  // namespace dualpath
