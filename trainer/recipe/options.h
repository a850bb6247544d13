#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/text/data_options.h"
#include "modules/correction/correction.h"
#include "modules/model/model.h"
#include "quant/compare/distance.h"
#include "quant/scheme.h"
#include "trainer/recipe/places.h"

namespace dualpath::trainer {

/// Weights by what a sample shows: pictures, clips, or text alone. The larger one counts if it
/// shows both.
struct ModalityWeights {
  double text = 1.0, image = 1.0, audio = 1.0;

  bool operator==(const ModalityWeights&) const = default;
};

/// Weights of the towers' hidden distances.
struct TowerWeights {
  double image = 1.0, audio = 1.0;

  bool operator==(const TowerWeights&) const = default;
};

/// The keys of a recipe's `loss`: a weighted sum, each term a mean over counted tokens, or over the
/// bytes of texts (ctc).
struct LossOptions {
  double kl = 1.0;      ///< KL(reference || quantized) over the vocabulary
  double ce = 0.0;      ///< cross-entropy with the text
  double hidden = 0.1;  ///< hidden distance, mean over stages
  quant::DistanceKind distance = quant::DistanceKind::kRelative;
  ModalityWeights modality = {};  ///< multiply kl and ce of a sample's targets
  TowerWeights towers = {};       ///< multiply `hidden` for a tower's stages
  /// CTC of an audio tower with the answers' bytes. It stands alone: the decoder does not run.
  double ctc = 0.0;
  /// Alignment layers' states with the answers' tokens (see AlignmentObjective). It stands alone.
  double alignment = 0.0;
  /// The distance of towers' frames from those of train.teacher. It stands alone.
  double distillation = 0.0;

  /// The weight of the term that stands alone.
  double task() const { return ctc + alignment + distillation; }

  bool operator==(const LossOptions&) const = default;
};

enum class Schedule { kCosine, kLinear, kConstant };
inline constexpr Named<Schedule> kSchedules[] = {{"cosine", Schedule::kCosine},
                                                 {"linear", Schedule::kLinear},
                                                 {"constant", Schedule::kConstant}};

/// The place for a run's figures beside its log. kTensorboard: event files in <output_dir>/runs.
enum class ReportTo { kTensorboard, kNone };
inline constexpr Named<ReportTo> kReportTo[] = {{"tensorboard", ReportTo::kTensorboard},
                                                {"none", ReportTo::kNone}};

/// The way through the layers of a training run. kEndToEnd: every step runs the whole model.
/// kBlockwise: blocks are trained one after the other, so that memory holds one of them. kAuto: end
/// to end where memory_limit allows it.
enum class Strategy { kAuto, kEndToEnd, kBlockwise };
inline constexpr Named<Strategy> kStrategies[] = {{"auto", Strategy::kAuto},
                                                  {"end_to_end", Strategy::kEndToEnd},
                                                  {"blockwise", Strategy::kBlockwise}};

/// The learning rates of all that may be trained; 0 freezes.
struct TrainableOptions {
  double corrections = 1e-3;
  double activation_scales = 0.0;  ///< rate of log(scale)
  double norm_weights = 0.0;
  double weights = 0.0;  ///< rate of all others: linears, their biases, tables

  bool operator==(const TrainableOptions&) const = default;
};

/// The place and bound of a frozen tower's outputs, which float training computes once a file.
struct FeatureCacheOptions {
  std::filesystem::path path;  ///< a folder; empty: "features" in the run's directory
  double max_gib = 4.0;        ///< nothing more is written beyond it; 0: nothing at all

  bool operator==(const FeatureCacheOptions&) const = default;
};

/// The keys of a recipe's `train`, named as Hugging Face's TrainingArguments.
struct TrainOptions {
  std::filesystem::path output_dir;
  std::int64_t max_steps = 200;  ///< of each block, if trained blockwise
  Strategy strategy = Strategy::kAuto;
  std::int64_t block_size = 1;  ///< stages of a block that may carry a correction
  std::int64_t per_device_train_batch_size = 2;
  std::int64_t gradient_accumulation_steps = 1;
  bool gradient_checkpointing = false;  ///< takes less memory and more time; same bits
  /// The way input gradients are made. kInt8 takes less time and memory; a gradient is off by about
  /// a hundredth.
  quant::InputGradients input_gradients = quant::InputGradients::kInt8;
  TrainableOptions learning_rate;
  /// Targets of the modules whose weights and norm weights are trained, each with all modules below
  /// it; none: all modules.
  std::vector<std::string> modules;
  /// With loss.distillation: the model whose towers are learned from.
  std::filesystem::path teacher;
  FeatureCacheOptions feature_cache;
  Schedule lr_scheduler_type = Schedule::kCosine;
  double warmup_ratio = 0.05;
  /// Decays weights and norm weights; corrections and scales never decay.
  double weight_decay = 0.0;
  double max_grad_norm = 1.0;
  /// Divides the optimizer's state among the processes: each keeps its part of the moments alone.
  bool shard_optimizer = false;
  std::int64_t save_steps = 50;
  std::int64_t save_total_limit = 2;
  std::int64_t logging_steps = 10;
  ReportTo report_to = ReportTo::kTensorboard;
  /// Drops, after training, corrections that do not bring their own stage closer to the reference
  /// on the selection text. Off by default: corrections trained end to end also prepare for later
  /// stages' errors. Most would go, and with them the gain they make together. Each one's effect is
  /// reported either way.
  bool drop_corrections = false;
  bool control =
      true;  ///< also trains the control: the float model with the same corrections, by CE

  bool operator==(const TrainOptions&) const = default;
};

/// The sets that every run may have.
inline constexpr const char *kInDomain = "in_domain", *kOutOfDomain = "out_of_domain";

/// One more set to evaluate: never trained on.
struct EvaluateSet {
  std::string name;
  std::filesystem::path path;

  bool operator==(const EvaluateSet&) const = default;
};

/// The keys of a recipe's `evaluate`.
struct EvaluateOptions {
  /// Least number of scored tokens a set; a model with towers: a set and modality.
  std::int64_t num_tokens = 32768;
  std::int64_t batch_size = 4;  ///< samples
  std::int64_t bootstrap_samples = 1000;
  std::vector<EvaluateSet> sets = {};
  std::int64_t num_answers = 200;       ///< samples a set and modality that rows answer; 0: none
  std::int64_t max_answer_tokens = 64;  ///< an answer's length, at most

  bool operator==(const EvaluateOptions&) const = default;
};

/// The keys of a recipe's `export`.
struct ExportOptions {
  std::filesystem::path output_dir;
  quant::ExportFormat format = quant::ExportFormat::kCompressedTensors;

  bool operator==(const ExportOptions&) const = default;
};

/// A recipe: the whole truth of a run.
struct Recipe {
  modules::ModelOptions model;
  data::DataOptions data;
  quant::QuantizeOptions quantize;
  modules::CorrectionOptions correction;
  LossOptions loss;
  TrainOptions train;
  EvaluateOptions evaluate;
  ExportOptions export_;
  /// The device to compute on. Nothing (auto): CUDA where build and machine have it, else the CPU.
  /// trainer::choose_device() puts the one that is there into model.device.
  std::optional<at::Device> device = {};
  quant::Compute compute = quant::Compute::kInteger;  ///< same bits either way
  /// Bytes that training may take; 0: what the machine, or the GPU, has free.
  std::int64_t memory_limit = 0;
  std::int64_t num_threads = 0;  ///< 0: as many as the machine has cores
  std::uint64_t seed = 0;
  RecipePlaces places;  ///< places of the values, for messages about them

  /// Whether anything is quantized. If not, a run trains the float model itself.
  bool quantizes() const { return !quantize.is_nothing(); }
  /// Whether a float model is trained by cross-entropy, so that no reference runs beside it.
  bool trains_by_cross_entropy() const {
    return !quantizes() && loss.kl == 0.0 && loss.hidden == 0.0 && loss.task() == 0.0;
  }

  bool operator==(const Recipe&) const = default;
};

}  // namespace dualpath::trainer
