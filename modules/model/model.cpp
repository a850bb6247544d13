#include "modules/model/model.h"

#include <algorithm>
#include <array>

#include "data/base/error.h"
#include "data/files/link.h"
#include "data/formats/pickle.h"
#include "modules/model/described_weights.h"
#include "modules/model/model_network.h"
#include "modules/model/parts_without_effect.h"
#include "modules/model/tied_head.h"
#include "modules/weights/gguf_store.h"
#include "modules/weights/safetensors_store.h"

namespace dualpath::modules {
namespace {

namespace fs = std::filesystem;

constexpr const char* kQuantization = "quantization_config";

/// Whether a config.json has a quantization_config; null counts as absent.
bool is_quantized(const nlohmann::json& config) {
  return !config.value(kQuantization, nlohmann::json()).is_null();
}

using Aliases = std::map<std::string, std::string>;

std::shared_ptr<const WeightStore> with_ties(std::shared_ptr<const WeightStore> weights,
                                             const Aliases& ties) {
  if (ties.empty()) return weights;
  return std::make_shared<TiedWeights>(std::move(weights), ties);
}

Model assemble(const fs::path& path, ModelConfig config, nlohmann::json config_json,
               data::Tokenizer tokenizer, std::shared_ptr<const WeightStore> weights) {
  if (tokenizer.vocab_size() > config.vocab_size) {
    throw Error("{}: the tokenizer has {} tokens, the model's vocab_size is {}", path.string(),
                tokenizer.vocab_size(), config.vocab_size);
  }
  weights = follow_file(std::move(weights), config, config_json, path.string());
  Network network = make_network(config);
  Structure structure = structure_of(network);
  weights = with_ties(std::move(weights), aliases_of(config));
  // An export's checksums already tell its files.
  if (!is_quantized(config_json)) check_all_read(structure, *weights, path.string());
  weights = without_parts(std::move(weights), structure.parts_without_effect, path.string());
  check_weights(structure, *weights, path.string());
  return {{config, std::move(weights), std::move(network), std::move(structure)},
          path,
          std::move(config_json),
          /*generation_config=*/nlohmann::json::object(),
          std::move(tokenizer),
          /*weight_files=*/{},
          /*companion_files=*/{},
          /*made_files=*/{}};
}

/// Whether a file holds weights of any kind, or their index.
bool holds_weights(const fs::path& file) {
  constexpr std::array kWeights{".safetensors", ".bin",  ".pt", ".pth",    ".ckpt",
                                ".gguf",        ".onnx", ".h5", ".msgpack"};
  return file.filename().string().ends_with(".index.json") ||
         std::find(kWeights.begin(), kWeights.end(), file.extension()) != kWeights.end();
}

/// Whether an export copies the file: not config.json, which it rewrites, and no weights.
bool is_companion(const fs::path& file) {
  return file.filename() != "config.json" && !holds_weights(file);
}

/// Whether a file is read by this program, or by whoever opens an export of the model.
bool is_read(const fs::path& companion) {
  constexpr std::array kRead{"tokenizer.json",           "tokenizer_config.json",
                             "special_tokens_map.json",  "added_tokens.json",
                             "chat_template.jinja",      "generation_config.json",
                             "preprocessor_config.json", "processor_config.json"};
  return std::find(kRead.begin(), kRead.end(), companion.filename()) != kRead.end();
}

/// The companion files. A link to nothing (an editor's lock, .#config.json) is left out, unless a
/// file that is read should be there.
std::vector<fs::path> companions(const fs::path& directory) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const fs::path& file = entry.path();
    if (!is_companion(file) || (is_read(file) && !exists_behind_links(file))) continue;
    std::error_code unreachable;  // a link to itself
    if (entry.is_regular_file(unreachable)) files.push_back(file);
  }
  std::sort(files.begin(), files.end());
  return files;
}

void refuse_adapter(const fs::path& directory) {
  const fs::path file = directory / "adapter_config.json";
  if (!fs::exists(file)) return;
  throw Error(
      "{}: is a LoRA adapter's, which is not read: expected a model that it is merged into (peft: "
      "merge_and_unload), and this file elsewhere",
      file.string());
}

/// Refuses quantized weights that are no export of ours; `quant_method` tells whose they are.
void refuse_other_quantization(const data::JsonObject& config, const fs::path& directory) {
  const auto refuse = [](const data::JsonObject& block) {
    throw Error(
        "{}: quantized already, by {}; the float model is needed (of quantized ones this program "
        "opens only its own exports; a block that was left beside float weights can be removed)",
        block.where(), printable(block.string_or("quant_method", "another tool")));
  };
  for (const char* part : {"text_config", "vision_config", "audio_config"}) {
    const auto inner = config.object_if(part);
    if (inner && inner->contains(kQuantization)) refuse(inner->object(kQuantization));
  }
  if (!config.contains(kQuantization)) return;
  const data::JsonObject block = config.object(kQuantization);
  const std::string method = block.string_or("quant_method", "");
  const bool can_be_ours = method == "compressed-tensors" || method == "dualpath";
  if (!can_be_ours || !fs::exists(directory / "dualpath.json")) refuse(block);
}

Model open_directory(const fs::path& path) {
  refuse_adapter(path);
  const data::JsonObject config = data::JsonObject::read(path / "config.json");
  refuse_other_quantization(config, path);
  const ModelConfig whole = ModelConfig::from_json(config);
  if (holds_config_alone(path)) {
    throw Error(
        "{}: holds config.json but no weights, and only plan does without: expected "
        "model.safetensors or model.safetensors.index.json",
        path.string());
  }
  const auto weights = std::make_shared<SafetensorsStore>(path);
  Model model = assemble(path, whole, config.raw(), data::Tokenizer::from_directory(path), weights);
  for (const auto& reader : weights->files().readers())
    model.weight_files.push_back(reader->file()->path());
  model.companion_files = companions(path);
  const fs::path generation = path / "generation_config.json";
  if (fs::exists(generation)) model.generation_config = data::JsonObject::read(generation).raw();
  return model;
}

/// The content of a generation_config.json, Hugging Face's place for a second end: a model's turns
/// may end with another token than its texts.
nlohmann::json ends_of(const data::GgufReader& gguf, const data::SpecialTokens& special) {
  constexpr std::string_view kEndOfTurn = "tokenizer.ggml.eot_token_id";
  if (!gguf.contains(kEndOfTurn)) return nlohmann::json::object();
  nlohmann::json ids = nlohmann::json::array({gguf.require<std::int32_t>(kEndOfTurn)});
  if (special.eos) ids.push_back(*special.eos);
  return {{"eos_token_id", std::move(ids)}};
}

Model open_gguf(const fs::path& path) {
  auto weights = std::make_shared<GgufStore>(path);
  const ModelConfig config{DecoderConfig::from_gguf(weights->reader()), {}, {}};
  data::Tokenizer tokenizer = data::Tokenizer::from_gguf(weights->reader());
  nlohmann::json config_json = config.to_json();
  const data::SpecialTokens special = tokenizer.special_tokens();
  if (special.bos) config_json["bos_token_id"] = *special.bos;
  if (special.eos) config_json["eos_token_id"] = *special.eos;
  Model model = assemble(path, config, std::move(config_json), std::move(tokenizer), weights);
  model.weight_files = {path};
  model.made_files = {{"tokenizer.json", model.tokenizer.files().tokenizer_json},
                      {"tokenizer_config.json", model.tokenizer.files().tokenizer_config_json}};
  model.generation_config = ends_of(weights->reader(), special);
  if (!model.generation_config.empty())
    model.made_files["generation_config.json"] = model.generation_config.dump(2) + "\n";
  return model;
}

/// The dtype of the weights: transformers 5 names it "dtype", older versions "torch_dtype".
at::ScalarType dtype_of_weights(const data::JsonObject& config) {
  const char* key = config.contains("dtype") ? "dtype" : "torch_dtype";
  const std::string name = config.string_or(key, "float32");
  for (const auto& [known, dtype] : kComputeDtypes) {
    if (name == known) return dtype;
  }
  throw Error("{}: {}: expected bfloat16, float16 or float32, got \"{}\"", config.where(), key,
              name);
}

}  // namespace

bool Model::is_quantized() const { return modules::is_quantized(config_json); }

WeightedNetwork describe(const ModelConfig& config, at::ScalarType dtype,
                         const std::string& where) {
  Network network = make_network(config);
  Structure structure = structure_of(network);
  const Aliases ties = aliases_of(config);
  auto weights = std::make_shared<DescribedWeights>(structure, ties, dtype, where);
  return {config, with_ties(std::move(weights), ties), std::move(network), std::move(structure)};
}

bool holds_config_alone(const fs::path& path) {
  return fs::exists(path / "config.json") &&
         std::none_of(fs::directory_iterator(path), fs::directory_iterator(),
                      [](const auto& entry) { return holds_weights(entry.path()); });
}

WeightedNetwork open_config(const fs::path& directory) {
  const data::JsonObject config = data::JsonObject::read(directory / "config.json");
  refuse_other_quantization(config, directory);
  if (is_quantized(config.raw()))
    throw Error("{}: {}: expected a float model's config.json", config.where(), kQuantization);
  return describe(ModelConfig::from_json(config), dtype_of_weights(config), directory.string());
}

Model open_model(const fs::path& path) {
  if (!fs::exists(path)) {
    throw Error("{}: no such model; expected a Hugging Face directory or a .gguf file",
                fs::absolute(path).string());
  }
  data::refuse_pickle(path);
  if (fs::is_directory(path)) return open_directory(path);
  if (path.extension() == ".gguf") return open_gguf(path);
  throw Error("{}: expected a Hugging Face directory or a .gguf file", path.string());
}

}  // namespace dualpath::modules
