#include "trainer/experiment/run_objective.h"

#include <utility>

#include "data/files/checksum.h"
#include "modules/model/encoder_network.h"
#include "modules/model/stop_tokens.h"
#include "modules/weights/to_device.h"
#include "trainer/experiment/run_files.h"
#include "trainer/train/alignment_objective.h"
#include "trainer/train/head_chunks.h"

namespace dualpath::trainer {
namespace {

using modules::Modality;

void add_text(Sha256& hash, std::string_view text) { hash.update(std::as_bytes(std::span(text))); }

/// Whether any trained weight lies below one of the module paths.
bool trains_any(const modules::WeightOverlay& weights, const std::vector<std::string>& modules) {
  for (const auto& [name, tensor] : weights.trained()) {
    for (const std::string& module : modules) {
      if (name.starts_with(module + ".")) return true;
    }
  }
  return false;
}

/// SHA-256 of the configuration, the dtype, the stages' names and the weights below the module
/// paths.
std::string fingerprint_of(const Experiment& experiment, const modules::Network& stages,
                           const std::vector<std::string>& modules) {
  const modules::WeightStore& weights = *experiment.model.weights;
  Sha256 hash;
  add_text(hash, experiment.model.config_json.dump());
  add_text(hash, c10::toString(experiment.recipe.model.dtype));
  for (const modules::Stage& stage : stages.stages) add_text(hash, stage.name + "\n");
  for (const std::string& name : weights.names()) {
    for (const std::string& module : modules) {
      if (!name.starts_with(module + ".")) continue;
      const at::Tensor values = weights.get(name).contiguous();
      add_text(hash, name);
      hash.update({static_cast<const std::byte*>(values.const_data_ptr()), values.nbytes()});
    }
  }
  return hash.hex();
}

modules::Network without_decoder(modules::Network network) {
  std::erase_if(network.stages,
                [](const modules::Stage& stage) { return stage.stream == Modality::kText; });
  return network;
}

std::vector<AlignedTower> towers_of(const modules::ModelConfig& config) {
  std::vector<AlignedTower> towers;
  for (const modules::Tower& tower : config.towers)
    towers.push_back({tower.placeholder.modality, tower.placeholder.token_id});
  return towers;
}

/// The tokens that alignment layers learn to say; nothing for other runs.
std::optional<AnswerTokens> answer_tokens(const Experiment& experiment,
                                          const data::Samples& samples) {
  if (experiment.recipe.loss.alignment == 0.0) return std::nullopt;
  const modules::Model& model = experiment.model;
  std::set<std::int64_t> tokens =
      tokens_of_answers(samples, model.tokenizer, modules::stop_tokens(model));
  for (const AlignedTower& tower : towers_of(model.config)) tokens.insert(tower.token);
  const std::string table = model.config.names.body + ".embed_tokens.weight";
  return AnswerTokens(
      tokens, modules::to_device(model.weights->get(table), experiment.recipe.model.device));
}

FrozenTowers frozen_towers(const Experiment& experiment, const QuantizedPath& path,
                           FeatureStore* store) {
  const Recipe& recipe = experiment.recipe;
  if (!recipe.trains_by_cross_entropy() && recipe.loss.alignment == 0.0) return {};
  const modules::WeightOverlay& weights = *path.trainables.weights;
  std::vector<FrozenTower> towers;
  for (const modules::Tower& tower : experiment.model.config.towers) {
    std::vector<std::string> modules{tower.name};
    if (trains_any(weights, modules)) continue;
    const modules::Network& network = experiment.model.network;
    modules::Network stages = encoder_of(network, tower);
    if (tower.alignment && !trains_any(weights, {tower.alignment->name})) {
      modules.push_back(tower.alignment->name);
      stages = whole_tower_of(network, tower);
    }
    std::string fingerprint = fingerprint_of(experiment, stages, modules);
    towers.push_back({tower.placeholder.modality, std::move(stages), std::move(fingerprint),
                      std::holds_alternative<modules::WhisperConfig>(tower.encoder)});
  }
  return {std::move(towers), store};
}

}  // namespace

std::unique_ptr<FeatureStore> feature_store(const Recipe& recipe, int processes) {
  const FeatureCacheOptions& cache = recipe.train.feature_cache;
  if (cache.max_gib == 0.0) return nullptr;
  const auto folder = cache.path.empty() ? recipe.train.output_dir / kFeatures : cache.path;
  const auto most = static_cast<std::int64_t>(cache.max_gib * 0x1p30);
  return std::make_unique<FeatureFolder>(folder, most, processes);
}

void check_samples(const LossOptions& loss, const data::Samples& samples) {
  if (loss.ctc > 0.0) require_one_clip_each(samples);
  if (loss.alignment > 0.0) require_single_files(samples);
}

ObjectiveParts objective_parts(const Experiment& experiment, const QuantizedPath& path,
                               const data::Samples& samples, FeatureStore* store) {
  return {frozen_towers(experiment, path, store), answer_tokens(experiment, samples)};
}

CtcModel ctc_model(const Experiment& experiment, const QuantizedPath& path) {
  const modules::Model& model = experiment.model;
  return {encoder_of(model.network, *tower_of(model.config, Modality::kAudio)),
          path.trainables.ctc_head.value(),
          {&model.tokenizer, modules::stop_tokens(model)}};
}

std::unique_ptr<Objective> run_objective(const Experiment& experiment,
                                         const modules::Network& network, ControlPath& reference,
                                         QuantizedPath& path, const ObjectiveParts& parts,
                                         Processes& processes) {
  const Recipe& recipe = experiment.recipe;
  modules::GradientCheckpointing checkpointing =
      checkpointing_of(path.trainables.groups, recipe.train.gradient_checkpointing);
  if (recipe.loss.ctc > 0.0)
    return std::make_unique<CtcObjective>(ctc_model(experiment, path), path.corrected,
                                          recipe.loss.ctc, std::move(checkpointing));
  if (recipe.loss.alignment > 0.0)
    return std::make_unique<AlignmentObjective>(
        without_decoder(network), towers_of(experiment.model.config), parts.tokens.value(),
        path.corrected, std::move(checkpointing), parts.frozen, recipe.loss.alignment);
  if (recipe.trains_by_cross_entropy())
    return std::make_unique<CrossEntropyObjective>(
        network, path.corrected, std::move(checkpointing), recipe.loss.modality, parts.frozen);
  return std::make_unique<PairedObjective>(
      network, reference.executor, path.corrected, recipe.loss, std::move(checkpointing),
      chunk_rows(network.head, *path.trainables.weights), processes);
}

}  // namespace dualpath::trainer
