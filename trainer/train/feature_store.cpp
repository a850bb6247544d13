#include "trainer/train/feature_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/base/error.h"
#include "data/process/standard_streams.h"
#include "modules/weights/tensor_view.h"

namespace dualpath::trainer {
namespace {

namespace fs = std::filesystem;

constexpr const char *kHidden = "hidden", *kGrid = "grid", *kLeading = "leading";

std::int64_t bytes_in(const fs::path& folder) {
  std::int64_t bytes = 0;
  if (!fs::is_directory(folder)) return bytes;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file()) bytes += static_cast<std::int64_t>(entry.file_size());
  }
  return bytes;
}

/// Features of a file's tensors. Mapped pages are copied, since the file may be replaced.
TowerFeatures features_in(const modules::NamedTensors& tensors) {
  const auto grid = tensors.find(kGrid);
  return {tensors.at(kHidden).clone(),
          grid == tensors.end() ? torch::Tensor() : grid->second.clone(),
          tensors.at(kLeading).item<std::int64_t>()};
}

}  // namespace

std::optional<TowerFeatures> MemoryFeatures::find(const std::string& key) {
  const auto found = features_.find(key);
  if (found == features_.end()) return std::nullopt;
  return found->second;
}

void MemoryFeatures::keep(const std::string& key, const TowerFeatures& features) {
  features_[key] = features;
}

FeatureFolder::FeatureFolder(fs::path folder, std::int64_t max_bytes, int writers)
    : folder_(std::move(folder)),
      left_bytes_(std::max<std::int64_t>(0, max_bytes - bytes_in(folder_)) / writers) {}

fs::path FeatureFolder::path(const std::string& key) const {
  return folder_ / (key + ".safetensors");
}

std::optional<TowerFeatures> FeatureFolder::find(const std::string& key) {
  if (!fs::exists(path(key))) return std::nullopt;
  try {
    return features_in(modules::read_tensors(data::SafetensorsReader(path(key))));
  } catch (const Error&) {  // damaged: it is made again
    return std::nullopt;
  }
}

void FeatureFolder::keep(const std::string& key, const TowerFeatures& features) {
  constexpr std::int64_t kHeader = 512;
  const auto bytes = static_cast<std::int64_t>(features.hidden.nbytes()) + kHeader;
  if (bytes > left_bytes_) {
    if (!is_full_)
      write_notice(fmt::format("{}: is full; features of further files are computed each time\n",
                               folder_.string()));
    is_full_ = true;
    return;
  }
  left_bytes_ -= bytes;
  fs::create_directories(folder_);
  modules::NamedTensors tensors{{kHidden, features.hidden},
                                {kLeading, torch::full({1}, features.leading, torch::kLong)}};
  if (features.grid.defined()) tensors[kGrid] = features.grid;
  modules::write_tensors(path(key), tensors);
}

}  // namespace dualpath::trainer
