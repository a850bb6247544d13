#include "modules/model.h"

#include <algorithm>
#include <array>

#include "data/base/error.h"
#include "data/formats/pickle.h"
#include "modules/decoder.h"
#include "modules/gguf_store.h"
#include "modules/safetensors_store.h"

namespace dualpath::modules {
namespace {

namespace fs = std::filesystem;

std::shared_ptr<const WeightStore> with_ties(std::shared_ptr<const WeightStore> weights,
                                             const DecoderConfig& config) {
  if (!config.tie_word_embeddings) return weights;
  return std::make_shared<TiedWeights>(
      std::move(weights),
      std::map<std::string, std::string>{{"lm_head.weight", "model.embed_tokens.weight"}});
}

Model assemble(const fs::path& path, const DecoderConfig& config, nlohmann::json config_json,
               data::Tokenizer tokenizer, std::shared_ptr<const WeightStore> weights) {
  if (tokenizer.vocab_size() > config.vocab_size) {
    throw Error("{}: the tokenizer has {} tokens, the model's vocab_size is {}", path.string(),
                tokenizer.vocab_size(), config.vocab_size);
  }
  Network network = make_decoder(config);
  weights = with_ties(std::move(weights), config);
  Structure structure = structure_of(network);
  check_weights(structure, *weights, path.string());
  return {.path = path,
          .config = config,
          .config_json = std::move(config_json),
          .generation_config = nlohmann::json::object(),
          .tokenizer = std::move(tokenizer),
          .weights = std::move(weights),
          .network = std::move(network),
          .structure = std::move(structure),
          .companion_files = {},
          .made_files = {}};
}

/// Not config.json, which an export rewrites, and no weights of whatever kind.
bool is_companion(const fs::path& file) {
  constexpr std::array kWeights{".safetensors", ".bin",  ".pt", ".pth",
                                ".gguf",        ".onnx", ".h5", ".msgpack"};
  const std::string name = file.filename().string();
  return name != "config.json" && !name.ends_with(".index.json") &&
         std::find(kWeights.begin(), kWeights.end(), file.extension()) == kWeights.end();
}

std::vector<fs::path> companions(const fs::path& directory) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.is_regular_file() && is_companion(entry.path())) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

Model open_directory(const fs::path& path) {
  const data::JsonObject config = data::JsonObject::read(path / "config.json");
  Model model =
      assemble(path, DecoderConfig::from_json(config), config.raw(),
               data::Tokenizer::from_directory(path), std::make_shared<SafetensorsStore>(path));
  model.companion_files = companions(path);
  const fs::path generation = path / "generation_config.json";
  if (fs::exists(generation)) model.generation_config = data::JsonObject::read(generation).raw();
  return model;
}

/// A model's turns may end with another token than its texts; Hugging Face's place for that is
/// generation_config.json.
nlohmann::json ends_of(const data::GgufReader& gguf, const data::SpecialTokens& special) {
  constexpr std::string_view kEndOfTurn = "tokenizer.ggml.eot_token_id";
  if (!gguf.contains(kEndOfTurn)) return nlohmann::json::object();
  nlohmann::json ids = nlohmann::json::array({gguf.require<std::int32_t>(kEndOfTurn)});
  if (special.eos) ids.push_back(*special.eos);
  return {{"eos_token_id", std::move(ids)}};
}

Model open_gguf(const fs::path& path) {
  auto weights = std::make_shared<GgufStore>(path);
  const DecoderConfig config = DecoderConfig::from_gguf(weights->reader());
  data::Tokenizer tokenizer = data::Tokenizer::from_gguf(weights->reader());
  nlohmann::json config_json = config.to_json();
  const data::SpecialTokens special = tokenizer.special_tokens();
  if (special.bos) config_json["bos_token_id"] = *special.bos;
  if (special.eos) config_json["eos_token_id"] = *special.eos;
  Model model = assemble(path, config, std::move(config_json), std::move(tokenizer), weights);
  model.made_files = {{"tokenizer.json", model.tokenizer.files().tokenizer_json},
                      {"tokenizer_config.json", model.tokenizer.files().tokenizer_config_json}};
  model.generation_config = ends_of(weights->reader(), special);
  if (!model.generation_config.empty())
    model.made_files["generation_config.json"] = model.generation_config.dump(2) + "\n";
  return model;
}

}  // namespace

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
