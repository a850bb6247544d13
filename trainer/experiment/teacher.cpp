#include "trainer/experiment/teacher.h"

#include <utility>

#include "data/base/error.h"
#include "data/media/read_audio.h"
#include "data/samples/taught_samples.h"
#include "modules/model/encoder_network.h"
#include "modules/model/media_readers.h"
#include "trainer/experiment/frozen_tower.h"

namespace dualpath::trainer {
namespace {

FrozenTowers encoders_of(const modules::Model& model, at::ScalarType dtype, FeatureStore* store) {
  std::vector<FrozenTower> encoders;
  for (const modules::Tower& tower : model.config.towers)
    encoders.push_back(frozen_tower(model, tower, /*with_alignment=*/false, dtype));
  return {std::move(encoders), store};
}

TeacherTowers towers_of(const modules::Model& model, modules::FloatExecutor& executor,
                        FeatureStore* store) {
  FrozenTowers encoders = encoders_of(model, executor.compute_dtype(), store);
  modules::Network alignments = encoders.rest(modules::without_decoder(model.network));
  return {&executor, std::move(encoders), std::move(alignments)};
}

std::int64_t queries_of(const modules::Tower& tower) {
  return tower.alignment ? tower.alignment->config.num_queries : 0;
}

/// Whether a clip's frames end with the clip, not with the silence that fills a chunk.
bool ends_with_clip(const data::LogMel& log_mel) {
  return log_mel.chunk_frames() == 0 ||
         log_mel.real_frames(data::kAudioRate) < log_mel.chunk_frames();
}

/// Refuses a teacher whose n-th frame stands for another part of a file than the model's.
void require_alike(const modules::Model& model, const modules::Model& teacher) {
  for (const modules::Tower& own : model.config.towers) {
    const modules::Modality modality = own.placeholder.modality;
    const modules::Tower* theirs = tower_of(teacher.config, modality);
    if (theirs && queries_of(own) != queries_of(*theirs))
      throw Error(
          "train.teacher: its {} alignment has {} queries, the model's {}; expected as many",
          name_of(modality), queries_of(*theirs), queries_of(own));
  }
  const auto own = modules::media_readers(model), theirs = modules::media_readers(teacher);
  if (!own.audio || !theirs.audio) return;
  const bool ends = ends_with_clip(own.audio->log_mel);
  if (ends != ends_with_clip(theirs.audio->log_mel))
    throw Error(
        "train.teacher: {} gives frames of the silence behind a clip, the other model does not; "
        "expected both alike (return_attention_mask of the feature extractor)",
        (ends ? teacher : model).path.string());
}

modules::Model open_float_model(const Recipe& recipe) {
  const std::filesystem::path& path = recipe.train.teacher;
  try {
    modules::Model model = modules::open_model(path);
    if (!model.is_quantized()) return model;
  } catch (const Error& error) {
    throw Error("train.teacher: {}", error.what());
  }
  throw Error("train.teacher: expected a float model, but {} is quantized", path.string());
}

}  // namespace

Teacher::Teacher(const Experiment& experiment, FeatureStore* store)
    : model(open_float_model(experiment.recipe)),
      executor(model.weights, experiment.recipe.model.tensor_options()),
      towers(towers_of(model, executor, store)) {
  require_alike(experiment.model, model);
}

std::unique_ptr<Teacher> open_teacher(const Experiment& experiment, FeatureStore* store) {
  if (experiment.recipe.loss.distillation == 0.0) return nullptr;
  return std::make_unique<Teacher>(experiment, store);
}

std::string teacher_fingerprint(const Recipe& recipe) {
  return recipe.train.teacher.empty() ? "" : model_fingerprint(open_float_model(recipe));
}

std::unique_ptr<data::Samples> taught_samples(const Teacher* teacher,
                                              const data::Samples& samples) {
  if (teacher == nullptr) return nullptr;
  return std::make_unique<data::TaughtSamples>(samples, modules::media_readers(teacher->model));
}

}  // namespace dualpath::trainer
