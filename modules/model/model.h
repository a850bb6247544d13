#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/tokenizer/tokenizer.h"
#include "modules/config/model_config.h"
#include "modules/execute/structure.h"
#include "modules/network/network.h"
#include "modules/weights/compute_dtype.h"
#include "modules/weights/weight_store.h"

namespace dualpath::modules {

/// The keys of a recipe's `model`.
struct ModelOptions {
  std::filesystem::path path;  ///< a Hugging Face directory, a .gguf file, or an export of ours
  at::ScalarType dtype = at::kBFloat16;
  at::Device device = at::kCPU;  ///< no key here: the recipe's outermost `device` chooses it

  at::TensorOptions tensor_options() const { return at::dtype(dtype).device(device); }

  bool operator==(const ModelOptions&) const = default;
};

/// A network and the source of its weights.
struct WeightedNetwork {
  ModelConfig config;
  std::shared_ptr<const WeightStore> weights;
  Network network;
  Structure structure;
};

/// A model on disk, opened and checked. Weights stay in their files until an executor asks for
/// them.
struct Model : WeightedNetwork {
  std::filesystem::path path;
  nlohmann::json config_json;  ///< the directory's own, or made from GGUF metadata
  /// generation_config.json, or one made from GGUF metadata that knows a second end; {} if there is
  /// none.
  nlohmann::json generation_config;
  data::Tokenizer tokenizer;
  /// The files that hold the weights, links not followed: model.safetensors, the shards that the
  /// index lists, or the GGUF file.
  std::vector<std::filesystem::path> weight_files;
  /// Files that an export copies byte for byte: the directory's files besides config and weights.
  std::vector<std::filesystem::path> companion_files;
  /// Files that an export writes instead if the source (GGUF) has none: name -> content.
  std::map<std::string, std::string> made_files;

  /// Whether its weights are codes already: then it is an export, which only an integer executor
  /// can run.
  bool is_quantized() const;
};

Model open_model(const std::filesystem::path& path);

/// Whether there is a config.json but no file of weights of any kind.
bool holds_config_alone(const std::filesystem::path& path);
/// Opens the config.json of a Hugging Face directory alone. The weights are described (see
/// DescribedWeights) in the dtype that it names, or else in transformers' float32.
WeightedNetwork open_config(const std::filesystem::path& directory);
/// The network of a config, its weights described. `where`: their place, for errors.
WeightedNetwork describe(const ModelConfig& config, at::ScalarType dtype, const std::string& where);

}  // namespace dualpath::modules
