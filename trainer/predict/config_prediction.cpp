#include "trainer/predict/config_prediction.h"

#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "data/process/memory.h"
#include "quant/stored/layout.h"
#include "quant/transform/transform.h"
#include "trainer/predict/weight_memory.h"
#include "trainer/train/blocks.h"
#include "trainer/train/head_chunks.h"

namespace dualpath::trainer {
namespace {

using modules::WeightStore;

/// The weights that the quantized path reads; only dtypes and shapes exist.
modules::WeightOverlay trained_overlay(const Recipe& recipe, const modules::WeightedNetwork& model,
                                       const quant::Plan& plan) {
  modules::WeightOverlay weights(
      quant::transformed(model.weights, plan, quant::unit_calibration(plan).transforms));
  for (const std::string& name : trained_weights(recipe, model)) {
    const torch::TensorOptions options = torch::dtype(torch::kFloat).device(torch::kMeta);
    weights.set(name, torch::empty(weights.info(name).shape, options));
  }
  return weights;
}

/// Another store's shapes with made-up values.
class MadeUpWeights : public modules::LayeredStore {
 public:
  using LayeredStore::LayeredStore;

  at::Tensor get(const std::string& name) const override {
    constexpr double kValue = 0.01;
    return torch::full(info(name).shape, kValue, info(name).dtype);
  }
};

/// The tokens of a shorter window that tells the saved bytes of the recipe's: a token's bytes are
/// equal in all windows that keep no scores.
std::int64_t telling_window(const Recipe& recipe, const modules::ModelConfig& config,
                            const quant::Plan& plan) {
  const auto keeps_scores = [&](std::int64_t tokens) {
    return std::ranges::any_of(plan.attentions, &quant::PlannedAttention::products) ||
           modules::keeps_softmax(config.num_attention_heads, config.num_key_value_heads,
                                  config.head_dim, tokens);
  };
  if (keeps_scores(recipe.data.window)) return recipe.data.window;
  std::int64_t tokens = 16;
  while (keeps_scores(tokens)) tokens *= 2;
  return std::min(tokens, recipe.data.window);
}

/// Measures a model of the given widths, with few layers, few words and, if possible, few tokens.
SavedBytes saved_bytes_at(Recipe recipe, modules::ModelConfig config, quant::Plan plan,
                          std::int64_t hidden_size, std::int64_t intermediate_size) {
  constexpr std::int64_t kLayers = 3;
  recipe.loss.ctc = 0.0;  // its head is a tower's
  const std::int64_t tokens = telling_window(recipe, config, plan);
  config.hidden_size = hidden_size;
  config.intermediate_size = intermediate_size;
  config.num_hidden_layers = std::min(config.num_hidden_layers, kLayers);
  config.vocab_size = 1;
  config.towers.clear();
  plan.folds.clear();  // they change values alone
  for (modules::CorrectableStage& stage : plan.stages) stage.width = hidden_size;
  modules::WeightedNetwork narrow = modules::describe(config, recipe.model.dtype, "a narrow model");
  narrow.weights = std::make_shared<MadeUpWeights>(narrow.weights);
  const std::vector<std::int32_t> ids(static_cast<std::size_t>(tokens), 0);
  modules::FloatExecutor reference(narrow.weights, recipe.model.tensor_options());
  QuantizedPath path(recipe, narrow, plan, quant::unit_calibration(plan), reference);
  return saved_bytes_of_layer(narrow, recipe.loss.distance,
                              data::make_batch(std::array{data::TokenSpan(ids)}), reference, path);
}

/// A width that the recipe's groups and corrections divide; they divide its multiples, too.
std::int64_t unit_of(const Recipe& recipe) {
  std::int64_t unit = std::lcm(std::int64_t{16}, recipe.correction.reduction);
  for (const quant::ConfigGroup& group : recipe.quantize.config_groups)
    unit = std::lcm(unit, std::max<std::int64_t>(1, group.weights.group_size));
  return unit;
}

/// Extends to the model's width. With given heads a layer's bytes are linear in hidden_size and in
/// intermediate_size, so three narrow models tell the wide one's.
SavedBytes saved_bytes(const Recipe& recipe, const modules::ModelConfig& config,
                       const quant::Plan& plan) {
  const std::int64_t unit = unit_of(recipe);
  const auto at = [&](std::int64_t hidden, std::int64_t intermediate) {
    return saved_bytes_at(recipe, config, plan, hidden * unit, intermediate * unit);
  };
  const SavedBytes least = at(1, 1), wider = at(2, 1), longer = at(1, 2);
  const auto units = [&](std::int64_t size) {
    return static_cast<double>(size) / static_cast<double>(unit) - 1.0;
  };
  const auto extended = [&](double SavedBytes::*bytes) {
    return least.*bytes + (wider.*bytes - least.*bytes) * units(config.hidden_size) +
           (longer.*bytes - least.*bytes) * units(config.intermediate_size);
  };
  return {.kept = extended(&SavedBytes::kept), .checkpointed = extended(&SavedBytes::checkpointed)};
}

/// Bytes of a chunk of the head's rows: logits of both paths and the gradient of one.
double chunk_bytes(const Recipe& recipe, const modules::Head& head, const WeightStore& weights,
                   double tokens) {
  constexpr double kTensors = 3.0;
  const double rows = std::min(tokens, static_cast<double>(chunk_rows(head, weights)));
  return kTensors * rows * static_cast<double>(head.ref.out_features) *
         static_cast<double>(c10::elementSize(recipe.model.dtype));
}

double source_bytes(const Recipe& recipe, const WeightStore& weights, const Counted& counted) {
  std::int64_t bytes = 0;
  for (const quant::PlannedBytes& tensor : quant::planned_bytes({}, weights, recipe.model.dtype)) {
    if (counted(tensor.name)) bytes += tensor.bytes;
  }
  return static_cast<double>(bytes);
}

double tokens_of_pass(const Recipe& recipe) {
  return static_cast<double>(recipe.train.per_device_train_batch_size) *
         static_cast<double>(recipe.data.window);
}

double saved_of_layer(const Recipe& recipe, const SavedBytes& saved) {
  return recipe.train.gradient_checkpointing ? saved.checkpointed : saved.kept;
}

/// Adds up what `train` takes end to end in each process, of which `saved` is a layer's share a
/// token.
double added_up(const Recipe& recipe, const modules::WeightedNetwork& model,
                const quant::Plan& plan, const WeightStore& weights, const SavedBytes& saved,
                int processes = 1) {
  const double tokens = tokens_of_pass(recipe);
  const double trained = trained_bytes(weights) +
                         kBytesOfTrained * static_cast<double>(correction_parameters(recipe, plan));
  // Half of it are moments, which the processes may divide.
  const double elsewhere =
      recipe.train.shard_optimizer ? trained / 2 * (1.0 - 1.0 / processes) : 0.0;
  return source_bytes(recipe, *model.weights, kAllCounted) +
         weight_bytes(recipe, plan, *model.weights) + trained - elsewhere +
         table_bytes(recipe, model.network.head, weights) +
         saved_of_layer(recipe, saved) * tokens *
             static_cast<double>(model.config.num_hidden_layers) +
         chunk_bytes(recipe, model.network.head, weights, tokens);
}

/// Bytes that both paths' states between two blocks take, in all passes of a process.
double bytes_of_states(const Recipe& recipe, const modules::ModelConfig& config) {
  constexpr double kIdsAndTargets = 2 * sizeof(std::int64_t) + sizeof(bool);
  const auto passes =
      static_cast<double>(recipe.train.max_steps * recipe.train.gradient_accumulation_steps);
  const double hidden = 2.0 * static_cast<double>(config.hidden_size) *
                        static_cast<double>(c10::elementSize(recipe.model.dtype));
  const double rotation = static_cast<double>(config.head_dim) * sizeof(float);
  return passes * tokens_of_pass(recipe) * (hidden + rotation + kIdsAndTargets);
}

/// Adds up what training one block takes: its weights, and what is saved and trained in it.
double block_bytes(const Recipe& recipe, const modules::WeightedNetwork& model,
                   const quant::Plan& plan, const WeightStore& weights, const SavedBytes& saved,
                   const modules::Network& block) {
  const bool has_head = block.head.exists();
  const auto counted = [&](const std::string& name) {
    const auto holds = [&](const modules::Stage& stage) {
      return name.starts_with(stage.name + ".");
    };
    return std::ranges::any_of(block.stages, holds) ||
           (has_head && name == model.weights->canonical(block.head.ref.weight_name()));
  };
  const auto layers =
      static_cast<double>(std::ranges::count_if(block.stages, [](const modules::Stage& stage) {
        return stage.correctable && stage.stream == modules::Modality::kText;
      }));
  const double tokens = tokens_of_pass(recipe);
  return source_bytes(recipe, *model.weights, counted) +
         weight_bytes(recipe, plan, *model.weights, counted) + trained_bytes(weights, counted) +
         saved_of_layer(recipe, saved) * tokens * layers +
         (has_head ? table_bytes(recipe, block.head, weights) +
                         chunk_bytes(recipe, block.head, weights, tokens)
                   : 0.0);
}

/// Adds up what `train` takes block by block: the states, the values of all that is trained, and
/// the largest block.
double added_up_blockwise(const Recipe& recipe, const modules::WeightedNetwork& model,
                          const quant::Plan& plan, const WeightStore& weights,
                          const SavedBytes& saved) {
  double largest = 0.0;
  for (const Block& block : blocks_of(model.network, {}, recipe.train.block_size))
    largest = std::max(largest, block_bytes(recipe, model, plan, weights, saved, block.network));
  const double values = trained_bytes(weights) / kBytesOfTrained * sizeof(float) +
                        static_cast<double>(correction_parameters(recipe, plan)) * sizeof(float);
  return bytes_of_states(recipe, model.config) + values + largest;
}

double bytes_by_strategy(const Recipe& recipe, const modules::WeightedNetwork& model,
                         const quant::Plan& plan, const SavedBytes& saved, int processes) {
  const modules::WeightOverlay weights = trained_overlay(recipe, model, plan);
  return recipe.train.strategy == Strategy::kBlockwise
             ? added_up_blockwise(recipe, model, plan, weights, saved)
             : added_up(recipe, model, plan, weights, saved, processes);
}

}  // namespace

Prediction predict_from_config(const Recipe& recipe, const modules::WeightedNetwork& model,
                               const quant::Plan& plan) {
  const auto baseline = static_cast<double>(resident_bytes());
  const modules::WeightOverlay weights = trained_overlay(recipe, model, plan);
  const SavedBytes saved = saved_bytes(recipe, model.config, plan);
  return {.exported = quant::planned_bytes(plan, weights, recipe.model.dtype),
          .correction_parameters = correction_parameters(recipe, plan),
          .peak_resident_bytes = static_cast<std::int64_t>(
              baseline + bytes_by_strategy(recipe, model, plan, saved, /*processes=*/1)),
          .saved = saved,
          .seconds = std::nullopt};
}

double training_bytes(const Recipe& recipe, const modules::WeightedNetwork& model,
                      const quant::Plan& plan, int processes) {
  return bytes_by_strategy(recipe, model, plan, saved_bytes(recipe, model.config, plan), processes);
}

}  // namespace dualpath::trainer
