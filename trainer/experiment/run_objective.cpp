#include "trainer/experiment/run_objective.h"

#include <algorithm>
#include <map>
#include <utility>

#include "data/base/error.h"
#include "modules/model/encoder_network.h"
#include "modules/model/stop_tokens.h"
#include "modules/weights/to_device.h"
#include "trainer/experiment/frozen_tower.h"
#include "trainer/experiment/run_files.h"
#include "trainer/train/alignment_objective.h"
#include "trainer/train/distillation_objective.h"
#include "trainer/train/gradient_checkpointing.h"
#include "trainer/train/head_chunks.h"

namespace dualpath::trainer {
namespace {

using modules::Modality;

/// Whether any trained weight lies below a module's path.
bool trains_any(const modules::WeightOverlay& weights, const std::string& module) {
  return std::ranges::any_of(weights.trained(), [&](const auto& trained) {
    return trained.first.starts_with(module + ".");
  });
}

/// The placeholders of the towers of which, alignment included, anything is trained.
std::map<Modality, std::int64_t> learning_tokens(const Experiment& experiment,
                                                 const modules::WeightOverlay& weights) {
  std::map<Modality, std::int64_t> tokens;
  for (const modules::Tower& tower : experiment.model.config.towers) {
    const bool learns = trains_any(weights, tower.name) ||
                        (tower.alignment && trains_any(weights, tower.alignment->name));
    if (learns) tokens[tower.placeholder.modality] = tower.placeholder.token_id;
  }
  return tokens;
}

/// Throws an Error if no sample has a file for a tower that learns.
void require_files(const std::map<Modality, std::int64_t>& learning, const data::Samples& samples) {
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const data::MediaFiles* files = samples.sample(i).files;
    if (!files) continue;
    if (learning.contains(Modality::kImage) && !files->images.empty()) return;
    if (learning.contains(Modality::kAudio) && !files->audio.empty()) return;
  }
  throw Error("loss.distillation: no sample has a picture or clip for what is trained");
}

/// Whether towers and alignment layers are trained without the decoder.
bool runs_towers_alone(const LossOptions& loss) {
  return loss.alignment > 0.0 || loss.distillation > 0.0;
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
  if (!recipe.trains_by_cross_entropy() && !runs_towers_alone(recipe.loss)) return {};
  const modules::WeightOverlay& weights = *path.trainables.weights;
  std::vector<FrozenTower> towers;
  for (const modules::Tower& tower : experiment.model.config.towers) {
    if (trains_any(weights, tower.name)) continue;
    const bool with_alignment = tower.alignment && !trains_any(weights, tower.alignment->name);
    towers.push_back(frozen_tower(experiment.model, tower, with_alignment, recipe.model.dtype));
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
                               const data::Samples& samples, const Teacher* teacher,
                               FeatureStore* store) {
  if (teacher) require_files(learning_tokens(experiment, *path.trainables.weights), samples);
  return {frozen_towers(experiment, path, store), answer_tokens(experiment, samples),
          teacher ? teacher->towers : TeacherTowers{}};
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
        modules::without_decoder(network), towers_of(experiment.model.config), parts.tokens.value(),
        path.corrected, std::move(checkpointing), parts.frozen, recipe.loss.alignment);
  if (recipe.loss.distillation > 0.0) {
    return std::make_unique<DistillationObjective>(
        modules::without_decoder(network), learning_tokens(experiment, *path.trainables.weights),
        path.corrected, std::move(checkpointing), parts.frozen, parts.teacher,
        recipe.loss.distillation);
  }
  if (recipe.trains_by_cross_entropy())
    return std::make_unique<CrossEntropyObjective>(
        network, path.corrected, std::move(checkpointing), recipe.loss.modality, parts.frozen);
  return std::make_unique<PairedObjective>(
      network, reference.executor, path.corrected, recipe.loss, std::move(checkpointing),
      chunk_rows(network.head, *path.trainables.weights), processes);
}

}  // namespace dualpath::trainer
