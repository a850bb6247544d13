#pragma once

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace dualpath::trainer {

/// A frozen tower's output for one picture or clip, on the CPU.
struct TowerFeatures {
  torch::Tensor hidden;  ///< [T, H] in the compute dtype, real positions alone
  torch::Tensor grid;    ///< [2] int64, rows and columns of patches; undefined if there are none
  std::int64_t leading = 0;  ///< positions before the patches (a class token)
};

/// Keeps features by a key that names all they depend on.
struct FeatureStore {
  virtual ~FeatureStore() = default;
  virtual std::optional<TowerFeatures> find(const std::string& key) = 0;
  /// Keeps features, if there is room.
  virtual void keep(const std::string& key, const TowerFeatures& features) = 0;
};

/// Keeps everything in memory: for a few files.
class MemoryFeatures : public FeatureStore {
 public:
  std::optional<TowerFeatures> find(const std::string& key) override;
  void keep(const std::string& key, const TowerFeatures& features) override;

 private:
  std::map<std::string, TowerFeatures> features_;
};

/// A folder with one file a picture or clip: <key>.safetensors, written whole or not at all. A file
/// that is damaged counts as missing. When the folder holds max_bytes, nothing more is written,
/// which a line on stderr says once. Several processes may share it.
class FeatureFolder : public FeatureStore {
 public:
  /// writers: the processes that share the room which is left, each an equal part.
  FeatureFolder(std::filesystem::path folder, std::int64_t max_bytes, int writers = 1);

  std::optional<TowerFeatures> find(const std::string& key) override;
  void keep(const std::string& key, const TowerFeatures& features) override;

 private:
  std::filesystem::path path(const std::string& key) const;

  std::filesystem::path folder_;
  std::int64_t left_bytes_;
  bool is_full_ = false;
};

}  // namespace dualpath::trainer
