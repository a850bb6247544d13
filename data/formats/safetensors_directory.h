#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/formats/safetensors.h"

namespace dualpath::data {

/// A Hugging Face model directory: model.safetensors or, without that file, all tensors of the
/// shards that model.safetensors.index.json names. Links are followed. A missing shard, or a tensor
/// that its shard lacks, is an Error naming both, and the shard that does hold the tensor. A tensor
/// that two shards hold is an Error, too.
class SafetensorsDirectory {
 public:
  explicit SafetensorsDirectory(const std::filesystem::path& directory);

  /// Sorted.
  const std::vector<std::string>& names() const { return names_; }
  bool contains(std::string_view name) const { return reader_of_.contains(name); }
  /// The file that holds a tensor. An unknown name is an Error.
  const SafetensorsReader& reader_of(std::string_view name) const;
  const TensorView& tensor(std::string_view name) const { return reader_of(name).tensor(name); }
  /// The one reader, or those of the shards in the order of their names.
  const std::vector<std::shared_ptr<const SafetensorsReader>>& readers() const { return readers_; }

 private:
  void open_single(const std::filesystem::path& file);
  void open_shards(const std::filesystem::path& index);
  void add_tensors(const SafetensorsReader& reader);

  std::filesystem::path directory_;
  std::vector<std::shared_ptr<const SafetensorsReader>> readers_;
  std::map<std::string, const SafetensorsReader*, std::less<>> reader_of_;
  std::vector<std::string> names_;
};

}  // namespace dualpath::data
