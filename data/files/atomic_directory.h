#pragma once

#include <filesystem>
#include <functional>
#include <string_view>

namespace dualpath {

enum class Replace { kNo, kYes };

/// Makes a directory appear whole or not at all, also across a power cut:
///   AtomicDirectory checkpoint("run/checkpoint-100");
///   write_file(checkpoint.path() / "state.json", state);
///   checkpoint.commit();  // fsync of every file and folder, rename, fsync of the parent
/// Until then it is "run/checkpoint-100.tmp-<pid>", removed if commit() is never reached.
/// Replace::kYes exchanges the two names in one step and then removes the old directory. A file
/// system that cannot exchange names (NFS) has the old directory removed first. A link is followed:
/// the directory it names is replaced, and the link stays. A mount point, or a directory whose
/// parent may not be written, cannot change its name: it stays, and its content is replaced file by
/// file. So a reader must be able to tell a mixture of old and new (an export's checksums do).
class AtomicDirectory {
 public:
  /// Replace::kNo: an existing final_path is an Error, here already and again in commit().
  explicit AtomicDirectory(std::filesystem::path final_path, Replace replace = Replace::kNo);
  ~AtomicDirectory();
  AtomicDirectory(const AtomicDirectory&) = delete;
  AtomicDirectory& operator=(const AtomicDirectory&) = delete;

  /// The staging directory: put everything here.
  const std::filesystem::path& path() const { return staging_; }
  /// Puts the directory in its place; called once, as the last call.
  void commit();

 private:
  void refuse_existing() const;

  std::filesystem::path final_path_;
  Replace replace_;
  bool stays_;  // its content is replaced, not the directory
  std::filesystem::path staging_;
  bool committed_ = false;
};

/// Whether the temporary of this name may be removed.
using IsStale = std::function<bool(std::string_view final_name)>;

/// Deletes the "<name>.tmp-<pid>" files and folders that killed runs left in `directory`, if
/// is_stale(name). Call it while holding the directory's FileLock and before writing there.
void remove_stale_temporaries(const std::filesystem::path& directory, const IsStale& is_stale);
/// Deletes only the leftovers of an AtomicDirectory for `path`: for a directory that others use,
/// too.
void remove_stale_temporaries_of(const std::filesystem::path& path);

/// The name that a temporary was to have: "x" of "x.tmp-123". Empty if `name` is not a temporary's.
std::string_view final_name(std::string_view name);

}  // namespace dualpath
