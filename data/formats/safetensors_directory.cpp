#include "data/formats/safetensors_directory.h"

#include <set>

#include "data/base/error.h"
#include "data/files/link.h"
#include "data/formats/json.h"

namespace dualpath::data {
namespace {

namespace fs = std::filesystem;
using Reader = std::shared_ptr<const SafetensorsReader>;

/// A shard lies beside its index; a name that leads elsewhere is refused.
fs::path shard_path(const fs::path& index, const std::string& tensor, const std::string& shard) {
  if (shard.empty() || shard == "." || shard == ".." || shard.find('/') != std::string::npos) {
    throw Error("{}: {}: expected the name of a file beside it, got \"{}\"", index.string(),
                printable(tensor), printable(shard));
  }
  const fs::path path = index.parent_path() / shard;
  if (!exists_behind_links(path)) {
    throw Error("{}: {}: its shard {} does not exist", index.string(), printable(tensor),
                path.string());
  }
  return path;
}

/// The text " but in <shard>": the first other shard of the index that holds the tensor.
std::string other_holder(const fs::path& index, const JsonObject& shard_of,
                         const std::string& tensor) {
  std::set<std::string> shards;
  for (const std::string& other : shard_of.keys()) shards.insert(shard_of.string(other));
  for (const std::string& shard : shards) {
    const fs::path path = shard_path(index, tensor, shard);
    if (SafetensorsReader(path).contains(tensor)) return " but in " + path.string();
  }
  return "";
}

}  // namespace

SafetensorsDirectory::SafetensorsDirectory(const fs::path& directory) : directory_(directory) {
  const fs::path single = directory / "model.safetensors";
  const fs::path index = directory / "model.safetensors.index.json";
  if (exists_behind_links(single)) {
    open_single(single);
  } else if (exists_behind_links(index)) {
    open_shards(index);
  } else {
    throw Error("{}: expected model.safetensors or model.safetensors.index.json in it",
                directory.string());
  }
  for (const auto& [name, reader] : reader_of_) names_.push_back(name);
}

void SafetensorsDirectory::open_single(const fs::path& file) {
  readers_.push_back(std::make_shared<const SafetensorsReader>(file));
  add_tensors(*readers_.front());
}

void SafetensorsDirectory::add_tensors(const SafetensorsReader& reader) {
  for (const std::string& name : reader.names()) {
    const auto [entry, is_new] = reader_of_.try_emplace(name, &reader);
    if (!is_new) {
      throw Error("{}: {}: is in {}, too", reader.file()->path().string(), printable(name),
                  entry->second->file()->path().string());
    }
  }
}

void SafetensorsDirectory::open_shards(const fs::path& index) {
  const JsonObject shard_of = JsonObject::read(index).object("weight_map");
  std::map<std::string, Reader> shards;
  for (const std::string& tensor : shard_of.keys()) {
    const std::string shard = shard_of.string(tensor);
    const fs::path path = shard_path(index, tensor, shard);
    Reader& reader = shards[shard];
    if (!reader) reader = std::make_shared<const SafetensorsReader>(path);
    if (!reader->contains(tensor)) {
      throw Error("{}: {}: is not in its shard {}{}", index.string(), printable(tensor),
                  path.string(), other_holder(index, shard_of, tensor));
    }
  }
  for (const auto& [name, reader] : shards) {
    readers_.push_back(reader);
    add_tensors(*reader);
  }
}

const SafetensorsReader& SafetensorsDirectory::reader_of(std::string_view name) const {
  const auto found = reader_of_.find(name);
  if (found == reader_of_.end()) throw Error("{}: has no tensor {}", directory_.string(), name);
  return *found->second;
}

}  // namespace dualpath::data
