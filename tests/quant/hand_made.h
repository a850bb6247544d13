#pragma once

#include <memory>
#include <string>
#include <vector>

#include "modules/execute/structure.h"
#include "quant/scheme.h"
#include "tests/support/catch.h"
#include "tests/support/model.h"

namespace dualpath::testing {

/// A network of width 2 whose numbers can be followed by hand: a table, two layers of one linear
/// each (model.layers.0.proj, model.layers.1.proj), and the table again as the head.
inline modules::Network hand_made_network() {
  using modules::Executor;
  using modules::State;
  const auto layer = [](const std::string& name) {
    const modules::LinearRef proj{name + ".proj", 2, 2};
    return modules::Stage{name, /*correctable=*/true, [proj](Executor& executor, State& state) {
                            state.hidden = executor.linear({proj}, state.hidden).front();
                          }};
  };
  const modules::EmbeddingRef table{"table", 4, 2};
  const auto embed = [table](Executor& executor, State& state) {
    state.hidden = executor.embedding(table, state.ids);
  };
  return {
      {{"table", /*correctable=*/false, embed}, layer("model.layers.0"), layer("model.layers.1")},
      {{"head", 2, 4}}};
}

inline const std::vector<modules::CorrectableStage> kStages{{"model.layers.0", 2},
                                                            {"model.layers.1", 2}};

/// Token 0 is [1, 0], 1 is [0, 2], 2 is [3, 4], 3 is [100, 100]; the first layer keeps, the second
/// doubles.
inline std::shared_ptr<const modules::WeightStore> hand_made_weights() {
  const torch::Tensor eye = torch::eye(2);
  return std::make_shared<MemoryStore>(modules::NamedTensors{
      {"table.weight", torch::tensor({{1.f, 0.f}, {0.f, 2.f}, {3.f, 4.f}, {100.f, 100.f}})},
      {"model.layers.0.proj.weight", eye},
      {"model.layers.1.proj.weight", 2.0 * eye},
      {"head.weight", torch::zeros({4, 2})}});
}

/// hand_made_network() behind two encoders of a linear each: "visual.0" of images, 3 wide, and
/// "audio.0", 5 wide. The decoder reads nothing of theirs.
inline modules::Network network_with_towers() {
  const auto tower = [](const std::string& name, modules::Modality modality, std::int64_t width) {
    const modules::LinearRef proj{name + ".proj", width, width};
    const auto forward = [proj, modality](modules::Executor& executor, modules::State& state) {
      modules::Stream& stream = state.stream(modality);
      stream.hidden = executor.linear({proj}, stream.input).front();
    };
    return modules::Stage{name, /*correctable=*/true, forward, modality};
  };
  modules::Network network = hand_made_network();
  network.stages.insert(network.stages.begin(), {tower("visual.0", modules::Modality::kImage, 3),
                                                 tower("audio.0", modules::Modality::kAudio, 5)});
  network.tower_samples[modules::Modality::kImage].input = modules::input_without_data({1, 2, 3});
  network.tower_samples[modules::Modality::kAudio].input = modules::input_without_data({1, 2, 5});
  return network;
}

/// Both encoders keep what they read.
inline std::shared_ptr<const modules::WeightStore> weights_with_towers() {
  modules::NamedTensors tensors{{"visual.0.proj.weight", torch::eye(3)},
                                {"audio.0.proj.weight", torch::eye(5)}};
  const auto decoder = hand_made_weights();
  for (const std::string& name : decoder->names()) tensors[name] = decoder->get(name);
  return std::make_shared<MemoryStore>(std::move(tensors));
}

/// The same, but the first layer makes the second channel half as large again.
inline std::shared_ptr<modules::WeightOverlay> skewed_weights() {
  auto weights = std::make_shared<modules::WeightOverlay>(hand_made_weights());
  weights->set("model.layers.0.proj.weight", torch::tensor({{1.f, 0.f}, {0.f, 1.5f}}));
  return weights;
}

/// W8A8 whose inputs have a scale a token.
inline quant::QuantizeOptions token_inputs() {
  quant::QuantizeOptions options;
  options.config_groups = {{.name = "all", .input_activations = quant::kTokenInt8}};
  return options;
}

inline quant::QuantArgs weights_of(int num_bits, quant::Strategy strategy, std::int64_t group_size,
                                   bool symmetric) {
  return {
      .num_bits = num_bits, .strategy = strategy, .group_size = group_size, .symmetric = symmetric};
}

/// Of three layers, the first has W8A8 attention and an MLP of W4A8 by group, the second stays in
/// float, the third is W4A16 with zero points.
inline quant::QuantizeOptions mixed_schemes() {
  using quant::Strategy;
  quant::QuantizeOptions options;
  options.config_groups = {
      {.name = "weight_only",
       .targets = {"re:model[.]layers[.]2[.].*"},
       .weights = weights_of(4, Strategy::kGroup, 32, false),
       .input_activations = std::nullopt},
      {.name = "attention", .targets = {"re:.*self_attn.*"}},
      {.name = "mlp", .targets = {"Linear"}, .weights = weights_of(4, Strategy::kGroup, 32, true)}};
  options.ignore = {"lm_head", "re:model[.]layers[.]1[.].*"};
  return options;
}

/// Of linears that read one tensor, some have weights of 4 bits, some inputs by token, some stay in
/// float or keep their inputs so; attention multiplies integers, but for one layer that only caches
/// them.
inline quant::QuantizeOptions torn_schemes() {
  using quant::Strategy;
  quant::QuantizeOptions options;
  options.config_groups = {
      {.name = "values",
       .targets = {"re:.*v_proj"},
       .weights = weights_of(4, Strategy::kChannel, 0, true)},
      {.name = "gates", .targets = {"re:.*gate_proj"}, .input_activations = quant::kTokenInt8},
      {.name = "weight_only",
       .targets = {"model.layers.2.mlp.up_proj"},
       .weights = weights_of(4, Strategy::kGroup, 32, false),
       .input_activations = std::nullopt},
      {.name = "rest"}};
  options.ignore = {"lm_head", "model.layers.1.self_attn.k_proj", "model.layers.1.self_attn"};
  options.kv_cache_scheme = quant::kHeadInt8;
  options.attention_scheme = quant::kHeadInt8;
  return options;
}

/// The head, too, by 4 bits: with a tied table's rows.
inline quant::QuantizeOptions table_in_four_bits() {
  using quant::Strategy;
  quant::QuantizeOptions options;
  options.config_groups = {{.name = "table",
                            .targets = {"lm_head"},
                            .weights = weights_of(4, Strategy::kChannel, 0, true)},
                           {.name = "rest"}};
  options.ignore.clear();
  return options;
}

/// Every linear but the head by one scheme.
inline quant::QuantizeOptions all_by(const quant::QuantArgs& weights,
                                     std::optional<quant::QuantArgs> inputs) {
  quant::QuantizeOptions options;
  options.config_groups = {{.name = "all", .weights = weights, .input_activations = inputs}};
  return options;
}

/// W8A8 by token for the MLP's linears; the others' inputs are static.
inline quant::QuantizeOptions mlp_by_token() {
  quant::QuantizeOptions options;
  options.config_groups = {
      {.name = "mlp", .targets = {"re:.*mlp.*"}, .input_activations = quant::kTokenInt8},
      {.name = "rest"}};
  return options;
}

}  // namespace dualpath::testing
