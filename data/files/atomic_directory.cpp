#include "data/files/atomic_directory.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "data/base/error.h"
#include "data/base/failpoint.h"
#include "data/files/atomic_file.h"
#include "data/files/file_descriptor.h"
#include "data/files/places.h"

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

void rename_into_place(const fs::path& from, const fs::path& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) throw_system_error(to, "rename into place");
}

std::vector<fs::path> entries_of(const fs::path& directory) {
  std::error_code failure;
  std::vector<fs::path> entries;
  for (fs::directory_iterator entry(directory, failure), end; !failure && entry != end;
       entry.increment(failure))
    entries.push_back(entry->path());
  if (failure) throw Error("{}: cannot list: {}", directory.string(), failure.message());
  return entries;
}

/// Exchanges the two names, then removes what `to` held.
void replace_directory(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) {
    sync_directory(parent_directory(to));
    remove_tree(from);
    return;
  }
  if (errno != EINVAL && errno != ENOSYS) throw_system_error(to, "replace");
  remove_tree(to);
  rename_into_place(from, to);
}

/// Moves the content of `staging`, a folder of `directory`, into `directory` and removes all else
/// there.
void replace_content(const fs::path& staging, const fs::path& directory) {
  std::set<fs::path> fresh_names;
  for (const fs::path& fresh : entries_of(staging)) {
    const fs::path place = directory / fresh.filename();
    if (fs::is_directory(fs::symlink_status(place))) remove_tree(place);
    rename_into_place(fresh, place);
    fresh_names.insert(fresh.filename());
  }
  for (const fs::path& entry : entries_of(directory))
    if (!fresh_names.contains(entry.filename())) remove_tree(entry);
}

/// The place that a path leads to, with a name of its own instead of "." or "..".
fs::path named(const fs::path& path) {
  const fs::path place = followed(path);
  const bool is_dots = place.filename() == "." || place.filename() == "..";
  return is_dots ? fs::canonical(place) : place;
}

/// Whether a directory can be filled but not exchanged: a mount point, the working directory, or
/// one whose parent may not be written.
bool must_stay(const fs::path& directory) {
  return fs::is_directory(directory) &&
         (is_mount_point(directory) || fs::equivalent(directory, ".") ||
          ::access(parent_directory(directory).c_str(), W_OK) != 0);
}

/// The path whose temporary an AtomicDirectory for `path` is built in.
fs::path built_as(const fs::path& path) { return must_stay(path) ? path / "staged" : path; }

}  // namespace

AtomicDirectory::AtomicDirectory(fs::path final_path, Replace replace)
    : final_path_(named(final_path)),
      replace_(replace),
      stays_(must_stay(final_path_)),
      staging_(temporary_path(built_as(final_path_))) {
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
  if (stays_) {
    replace_content(staging_, final_path_);
  } else if (fs::exists(final_path_)) {
    replace_directory(staging_, final_path_);
  } else {
    rename_into_place(staging_, final_path_);
  }
  committed_ = true;
  sync_directory(stays_ ? final_path_ : parent_directory(final_path_));
  failpoint("atomic_directory.done");
}

void remove_stale_temporaries(const fs::path& directory, const IsStale& is_stale) {
  for (const fs::path& entry : entries_of(directory)) {
    const std::string name = entry.filename().string();
    const std::string_view becomes = final_name(name);
    if (!becomes.empty() && is_stale(becomes)) remove_tree(entry);
  }
}

void remove_stale_temporaries_of(const fs::path& path) {
  const fs::path built = built_as(named(path));
  remove_stale_temporaries(parent_directory(built), [&](std::string_view name) {
    return name == built.filename().string();
  });
}

std::string_view final_name(std::string_view name) {
  const std::size_t mark = name.rfind(".tmp-");
  if (mark == std::string_view::npos) return {};
  const std::string_view pid = name.substr(mark + 5);
  const bool is_pid = !pid.empty() && pid.find_first_not_of("0123456789") == std::string_view::npos;
  return is_pid ? name.substr(0, mark) : std::string_view();
}

}  // namespace dualpath
