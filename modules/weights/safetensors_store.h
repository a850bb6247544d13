#pragma once

#include <filesystem>

#include "data/formats/safetensors_directory.h"
#include "modules/weights/weight_store.h"

namespace dualpath::modules {

/// The weights of a Hugging Face directory: mapped, in the dtype of the file.
class SafetensorsStore : public WeightStore {
 public:
  explicit SafetensorsStore(const std::filesystem::path& directory) : files_(directory) {}

  const std::vector<std::string>& names() const override { return files_.names(); }
  bool contains(const std::string& name) const override { return files_.contains(name); }
  WeightInfo info(const std::string& name) const override;
  at::Tensor get(const std::string& name) const override;
  std::optional<std::string> file_with(const std::string& name) const override;
  const data::SafetensorsDirectory& files() const { return files_; }

 private:
  data::SafetensorsDirectory files_;
};

}  // namespace dualpath::modules
