#pragma once

#include <filesystem>

namespace dualpath {

enum class Replace { kNo, kYes };

/// Makes a directory appear whole or not at all, also across a power cut:
///   AtomicDirectory checkpoint("run/checkpoint-100");
///   write_file(checkpoint.path() / "state.json", state);
///   checkpoint.commit();  // fsync of every file and folder, rename, fsync of the parent
/// Until then it is "run/checkpoint-100.tmp-<pid>", removed if commit() is never reached.
/// Replace::kYes exchanges the two names in one step and then removes the old directory; only where
/// the file system cannot do that (NFS) is the old one removed first.
class AtomicDirectory {
 public:
  /// Replace::kNo: an existing final_path is an Error, here already and again in commit().
  explicit AtomicDirectory(std::filesystem::path final_path, Replace replace = Replace::kNo);
  ~AtomicDirectory();
  AtomicDirectory(const AtomicDirectory&) = delete;
  AtomicDirectory& operator=(const AtomicDirectory&) = delete;

  /// The staging directory: put everything here.
  const std::filesystem::path& path() const { return staging_; }
  /// Once, as the last call.
  void commit();

 private:
  void refuse_existing() const;

  std::filesystem::path final_path_;
  std::filesystem::path staging_;
  Replace replace_;
  bool committed_ = false;
};

/// Deletes the "*.tmp-<pid>" files and folders that killed runs left in directory. Call it while
/// holding the directory's FileLock and before writing there.
void remove_stale_temporaries(const std::filesystem::path& directory);
/// Only those of path, "<path>.tmp-<pid>", where its directory is shared with others.
void remove_stale_temporaries_of(const std::filesystem::path& path);

}  // namespace dualpath
