#include "trainer/predict/prediction.h"

#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>

#include "data/process/memory.h"
#include "data/process/progress.h"
#include "modules/execute/float_executor.h"
#include "modules/network/batch_state.h"
#include "quant/calibrate/observe_executor.h"
#include "quant/compare/paired_forward.h"
#include "quant/stored/layout.h"
#include "trainer/evaluate/evaluated_part.h"
#include "trainer/evaluate/evaluation.h"
#include "trainer/experiment/rows.h"
#include "trainer/experiment/run_objective.h"
#include "trainer/predict/config_prediction.h"
#include "trainer/predict/device_memory.h"
#include "trainer/predict/saved_bytes.h"
#include "trainer/predict/weight_memory.h"
#include "trainer/train/gradient_checkpointing.h"
#include "trainer/train/head_chunks.h"
#include "trainer/train/objective.h"

namespace dualpath::trainer {
namespace {

/// Counts the decoder's layers; stages before it are part of the rest.
double layer_count(const modules::Network& network) {
  return static_cast<double>(
      std::count_if(network.stages.begin(), network.stages.end(), [](const modules::Stage& stage) {
        return stage.correctable && stage.stream == modules::Modality::kText;
      }));
}

/// Samples to run: windows are alike, so the first ones; texts with pictures and clips are not, so
/// evenly spaced ones.
data::Batch some_samples(const data::Samples& samples, std::int64_t wanted) {
  const std::size_t count = std::min(samples.size(), static_cast<std::size_t>(wanted));
  if (samples.readers()) return samples.batch(data::evenly_spaced(samples.size(), count));
  std::vector<std::size_t> chosen(count);
  std::iota(chosen.begin(), chosen.end(), std::size_t{0});
  return samples.batch(chosen);
}

/// The batch with only its first `count` targets, which go through the head.
data::Batch with_targets(data::Batch batch, std::int64_t count) {
  batch.targets = batch.targets.clone();
  const at::Tensor counted = batch.targets.flatten().ne(data::kNoTarget);
  batch.targets.flatten().masked_fill_(counted & (counted.cumsum(0) > count), data::kNoTarget);
  return batch;
}

/// The cost of work on one batch: each layer, each chunk of the head's rows, and the rest.
struct Cost {
  double rest = 0.0, layer = 0.0, chunk = 0.0;
  double of(double layers, double chunks) const { return rest + layers * layer + chunks * chunk; }
};

/// Runs work on networks of one layer and of `deep`, and on one and two chunks of the head.
/// (Nothing is trained before the first layer, so its backward differs from the others'.) The first
/// run loads weights and is not counted.
class Probe {
 public:
  Probe(const modules::Network& network, const data::Batch& batch, std::size_t deep,
        std::int64_t chunk_rows = kChunkRows)
      : shallow_(modules::shortened(network, 1)),
        deep_(modules::shortened(network, deep)),
        narrow_(with_targets(batch, chunk_rows)),
        wide_(with_targets(batch, 2 * chunk_rows)) {}

  /// Begins to watch the memory that work takes on a device, and returns what is held. Nothing if
  /// it cannot be watched.
  static std::optional<std::int64_t> restart_peak(at::Device device) {
    return device.is_cpu() ? restart_peak_resident() : restart_peak_device_bytes(device);
  }

  /// Seconds of work. The fastest repeat counts, since a disturbance only ever slows a run.
  template <class Work>
  Cost seconds(const Work& work, int repeats = 2) const {
    work(deep_, narrow_);
    const double least = time(repeats, [&] { work(shallow_, narrow_); });
    const double deep = time(repeats, [&] { work(deep_, narrow_); });
    const double wide = time(repeats, [&] { work(shallow_, wide_); });
    return cost(least, deep, wide);
  }

  /// Bytes that work adds while it runs, resident ones on the CPU. Nothing if they cannot be
  /// watched.
  template <class Work>
  std::optional<Cost> bytes(at::Device device, const Work& work) const {
    if (!restart_peak(device)) return std::nullopt;
    const double least = growth(device, [&] { work(shallow_, narrow_); });
    return cost(least, growth(device, [&] { work(deep_, narrow_); }), least);
  }

 private:
  Cost cost(double least, double deep, double wide) const {
    const double more = std::max(1.0, layer_count(deep_) - 1.0);
    const double layer = std::max(0.0, deep - least) / more;
    const double chunk = std::max(0.0, wide - least);
    return {std::max(0.0, least - layer - chunk), layer, chunk};
  }

  template <class Work>
  static double time(int repeats, const Work& work) {
    double fastest = std::numeric_limits<double>::infinity();
    for (int i = 0; i < repeats; ++i) {
      const auto start = std::chrono::steady_clock::now();
      work();
      const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
      fastest = std::min(fastest, taken.count());
    }
    return fastest;
  }

  template <class Work>
  static double growth(at::Device device, const Work& work) {
    work();  // once before: weights come, and the heap takes its shape
    release_freed_memory();
    const std::int64_t before = restart_peak(device).value();
    work();
    return static_cast<double>(peak_device_bytes(device).value_or(peak_resident_bytes()) - before);
  }

  modules::Network shallow_, deep_;
  data::Batch narrow_, wide_;
};

/// Counts a batch's files for towers.
std::int64_t count_files(const data::Batch& batch) {
  const auto rows = [](const std::optional<data::TowerBatch>& files) {
    return files ? files->values.size(0) : 0;
  };
  return rows(batch.images) + rows(batch.audio);
}

/// Counts the files of all samples.
std::int64_t count_files(const data::Samples& samples) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (const data::MediaFiles* files = samples.sample(i).files)
      count += files->images.size() + files->audio.size();
  }
  return static_cast<std::int64_t>(count);
}

/// Seconds that frozen towers take for a batch's files, computed.
double frozen_seconds(const FrozenTowers& frozen, modules::Executor& executor,
                      const data::Batch& batch) {
  const FrozenTowers computing(frozen.towers(), /*store=*/nullptr);
  double seconds = 0.0;
  for (int i = 0; i < 2; ++i) {  // the first run loads weights
    const auto start = std::chrono::steady_clock::now();
    modules::State state;
    computing.run(batch, executor, state);
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  return seconds;
}

/// Seconds that a teacher's encoders take for a batch's files, computed.
double encoder_seconds(const TeacherTowers& teacher, const data::Batch& batch) {
  return frozen_seconds(teacher.encoders, *teacher.executor, taught_files(batch));
}

/// What one optimizer step, one calibration window and the evaluation of one batch cost. What the
/// recipe does not ask for costs nothing, and is not run to find that out.
struct Costs {
  Cost calibrated, repaired, adapted, evaluated;  ///< seconds; of a step without frozen towers
  Cost passed;                                    ///< of a step's batch through trained blocks
  double frozen;                                  ///< seconds of a step's files in frozen towers
  std::optional<Cost> memory;                     ///< bytes, of a step
  SavedBytes saved, saved_by_towers;
  std::vector<quant::PlannedBytes> exported;
  std::int64_t correction_parameters;
  double trained_bytes;    ///< of what trained weights take beside what frozen ones do
  double table_bytes;      ///< of the prepared table
  std::int64_t step_rows;  ///< of the head, at a time in `repaired`
};

/// Makes the paths of a finished run before anything is trained.
TrainedPaths planned_paths(const Experiment& experiment) {
  const Recipe& recipe = experiment.recipe;
  TrainedPaths paths;
  paths.calibration = quant::unit_calibration(experiment.plan);
  paths.control = std::make_unique<ControlPath>(experiment);
  paths.quantized =
      std::make_unique<QuantizedPath>(experiment, paths.calibration, paths.control->executor);
  paths.steps = recipe.train.max_steps;
  if (recipe.train.control && !paths.control->trainables.groups.empty())
    paths.control_steps = recipe.train.max_steps;
  return paths;
}

/// How much is run to find out what something costs. kSmall: one sample, once.
enum class ProbeSize { kSmall, kUsual };

/// Blocks of large layers are measured by little: their products cost the same a token in any
/// batch, and seconds each.
ProbeSize probe_size(const Experiment& experiment) {
  constexpr double kLargeLayer = 3e7;  // weights
  double weights = 0.0;
  for (const modules::LinearUse& use : experiment.model.structure.linears) {
    for (const modules::LinearRef& ref : use.refs)
      weights += static_cast<double>(ref.in_features * ref.out_features);
  }
  const bool is_large = weights > kLargeLayer * layer_count(experiment.model.network);
  const bool is_blockwise = experiment.recipe.train.strategy == Strategy::kBlockwise;
  return is_large && is_blockwise ? ProbeSize::kSmall : ProbeSize::kUsual;
}

Costs measure(const Experiment& experiment, const data::Samples& samples, const Teacher* teacher,
              ProbeSize size, const data::Batch& step, const data::Batch& window,
              const data::Batch& evaluated) {
  const LossOptions& loss = experiment.recipe.loss;
  const bool checkpointed = experiment.recipe.train.gradient_checkpointing;
  const GlobalCount count{step.counted(), step.ids.numel()};
  const TrainedPaths paths = planned_paths(experiment);
  ControlPath& control = *paths.control;
  QuantizedPath& path = *paths.quantized;
  MemoryFeatures features;
  const ObjectiveParts parts = objective_parts(experiment, path, samples, teacher, &features);
  const RunRows rows(experiment, paths);
  quant::ObserveExecutor observe(experiment.model.weights, experiment.recipe.model.tensor_options(),
                                 experiment.plan);

  const auto calibrate = [&](const modules::Network& network, const data::Batch& batch) {
    const torch::NoGradGuard no_grad;
    modules::State state = modules::make_state(batch, observe.device());
    modules::run(network, observe, state);
  };
  const std::int64_t rows_of_step =
      chunk_rows(experiment.model.network.head, *path.trainables.weights);
  const auto repair = [&](const modules::Network& network, const data::Batch& batch) {
    run_objective(experiment, network, control, path, parts, Processes::alone())
        ->accumulate(batch, count);
  };
  const auto adapt = [&](const modules::Network& network, const data::Batch& batch) {
    CrossEntropyObjective(network, control.corrected,
                          checkpointing_of(control.trainables.groups, checkpointed))
        .accumulate(batch, count);
  };
  const auto evaluate = [&](const modules::Network& network, const data::Batch& batch) {
    evaluate_batch(network, rows.rows(), batch);
  };
  const auto pass = [&](const modules::Network& network, const data::Batch& batch) {
    const torch::NoGradGuard no_grad;
    modules::State state = modules::make_state(batch, path.corrected.device());
    modules::run(network, path.corrected, state);
  };
  const bool is_blockwise = experiment.recipe.train.strategy == Strategy::kBlockwise;
  // Time needs few layers; memory more, or holes in the heap hide what a layer adds.
  const std::size_t timed = size == ProbeSize::kSmall ? 2 : 3;
  const int repeats = size == ProbeSize::kSmall ? 1 : 2;
  constexpr std::size_t kHeld = 8;
  const modules::Network& network = experiment.model.network;
  const Probe on_step(network, step, timed, rows_of_step), adapted(network, step, timed),
      on_window(network, window, timed), on_evaluated(network, evaluated, timed),
      held(network, step, kHeld, rows_of_step);
  const bool has_control = paths.control_steps > 0, quantizes = experiment.recipe.quantizes();
  // A run that is to take the memory of one block keeps no weights from one measurement to the
  // next.
  std::optional<Progress> progress;  // of what takes long
  if (size == ProbeSize::kSmall) progress.emplace("predict", 6, "measurements");
  const auto let_go = [&](const auto& measured) {
    if (progress) progress->advance(1);
    if (is_blockwise) {
      for (const Row& row : rows.rows()) row.executor->release();
      path.corrected.release();
      control.executor.release();
      observe.release();
      release_freed_memory();
    }
    return measured;
  };
  return {
      .calibrated = let_go(
          experiment.plan.needs_calibration() ? on_window.seconds(calibrate, repeats) : Cost{}),
      .repaired = let_go(on_step.seconds(repair, repeats)),
      .adapted = has_control ? adapted.seconds(adapt) : Cost{},
      .evaluated = let_go(on_evaluated.seconds(evaluate, /*repeats=*/1)),
      .passed = let_go(is_blockwise ? on_step.seconds(pass, repeats) : Cost{}),
      .frozen = frozen_seconds(parts.frozen, path.corrected, step) +
                (teacher ? encoder_seconds(teacher->towers, step) : 0.0),
      .memory = is_blockwise ? std::nullopt : held.bytes(experiment.recipe.model.device, repair),
      .saved = let_go(quantizes ? saved_bytes_of_layer(experiment.model, loss.distance, step,
                                                       control.executor, path)
                                : SavedBytes{}),
      .saved_by_towers = let_go(
          quantizes ? saved_bytes_of_towers(network, loss.distance, step, control.executor, path)
                    : SavedBytes{}),
      .exported = quant::planned_bytes(experiment.plan, *path.trainables.weights,
                                       experiment.recipe.model.dtype),
      .correction_parameters = path.trainables.corrections.parameter_count(),
      .trained_bytes = trained_bytes(*path.trainables.weights),
      .table_bytes = table_bytes(experiment.recipe, network.head, *path.trainables.weights),
      .step_rows = rows_of_step};
}

/// The samples that an evaluation of all sets scores. Answers are not counted.
std::size_t scored_samples(const Experiment& experiment, const Texts& texts) {
  std::vector<const data::Samples*> sets{texts.test.get(), texts.out_of_domain.get()};
  for (const NamedSamples& set : texts.sets) sets.push_back(set.samples.get());
  const bool by_modality = !experiment.model.network.tower_samples.empty();
  std::size_t scored = 0;
  for (const data::Samples* set : sets) {
    if (set == nullptr) continue;
    for (const EvaluatedPart& part : parts_of(*set, by_modality))
      scored += evaluated_samples(part.samples, experiment.recipe.evaluate);
  }
  return scored;
}

}  // namespace

Prediction predict(const Experiment& experiment, const Texts& texts) {
  const Recipe& recipe = experiment.recipe;
  constexpr std::int64_t kWindows = 4;
  const ProbeSize size = probe_size(experiment);
  const auto at_most = [&](std::int64_t samples) {
    return size == ProbeSize::kSmall ? 1 : samples;
  };
  check_samples(recipe.loss, *texts.train);
  const auto baseline = static_cast<double>(resident_bytes());
  MemoryFeatures features;
  const auto teacher = open_teacher(experiment, &features);
  const auto taught = taught_samples(teacher.get(), *texts.train);
  const data::Batch step = some_samples(taught ? *taught : *texts.train,
                                        at_most(recipe.train.per_device_train_batch_size));
  const data::Batch window = some_samples(*texts.train, texts.train->readers() ? kWindows : 1);
  const data::Batch evaluated = some_samples(*texts.train, at_most(recipe.evaluate.batch_size));
  const Costs costs =
      measure(experiment, *texts.train, teacher.get(), size, step, window, evaluated);
  const double layers = layer_count(experiment.model.network);
  const auto cost_of = [&](const Cost& cost, const data::Batch& batch,
                           std::int64_t chunk_rows = kChunkRows) {
    const auto rows = static_cast<double>(batch.counted());
    return cost.of(layers, std::ceil(rows / static_cast<double>(chunk_rows)));
  };
  // Passes of as many samples as were measured.
  const double steps =
      static_cast<double>(recipe.train.max_steps * recipe.train.gradient_accumulation_steps *
                          recipe.train.per_device_train_batch_size) /
      static_cast<double>(step.ids.size(0));
  // Frozen towers run once a file if their outputs are kept, else in every step.
  const auto files = static_cast<double>(count_files(step));
  const double kept_steps =
      files == 0.0 ? 0.0 : static_cast<double>(count_files(*texts.train)) / files;
  const bool keeps = recipe.train.feature_cache.max_gib > 0.0;
  const double frozen = costs.frozen * (keeps ? std::min(steps, kept_steps) : steps);
  const std::size_t scored = scored_samples(experiment, texts);
  const auto calibrated =
      experiment.plan.needs_calibration()
          ? quant::calibration_passes(experiment.plan) *
                std::min<double>(static_cast<double>(recipe.quantize.calibration.num_samples),
                                 static_cast<double>(texts.train->size()))
          : 0.0;
  Prediction prediction{
      .exported = costs.exported,
      .correction_parameters = costs.correction_parameters,
      .peak_resident_bytes = std::nullopt,
      .saved = costs.saved,
      .saved_by_towers = costs.saved_by_towers,
      .seconds = PredictedSeconds{
          .calibrate = cost_of(costs.calibrated, window) * calibrated /
                       static_cast<double>(window.ids.size(0)),
          .train = (cost_of(costs.repaired, step, costs.step_rows) + costs.passed.of(layers, 0)) *
                       steps +
                   frozen,
          .control = cost_of(costs.adapted, step) * steps,
          .evaluate = cost_of(costs.evaluated, evaluated) * static_cast<double>(scored) /
                      static_cast<double>(evaluated.ids.size(0))}};
  if (recipe.train.strategy == Strategy::kBlockwise) {
    const double peak = baseline + training_bytes(recipe, experiment.model, experiment.plan,
                                                  experiment.processes->size());
    (recipe.model.device.is_cpu() ? prediction.peak_resident_bytes : prediction.peak_device_bytes) =
        static_cast<std::int64_t>(peak);
  } else if (costs.memory) {
    const double held = weight_bytes(recipe, experiment.plan, *experiment.model.weights) +
                        costs.trained_bytes + costs.table_bytes +
                        cost_of(*costs.memory, step, costs.step_rows);
    if (recipe.model.device.is_cpu()) {
      prediction.peak_resident_bytes = static_cast<std::int64_t>(
          baseline + static_cast<double>(model_bytes(experiment.model)) + held);
    } else {
      prediction.peak_device_bytes = static_cast<std::int64_t>(held);
    }
  }
  return prediction;
}

}  // namespace dualpath::trainer
