#include "modules/execute/graph.h"

#include <torch/utils.h>

#include "modules/encoders/conformer.h"
#include "modules/encoders/vit.h"
#include "modules/encoders/whisper.h"
#include "modules/execute/float_executor.h"
#include "modules/execute/shape_executor.h"
#include "modules/weights/safetensors_store.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/glm4v.h"
#include "tests/support/graph.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::modules;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

std::vector<std::string> names_of(const Graph& graph) {
  std::vector<std::string> names;
  for (const GraphNode& node : graph.nodes) names.emplace_back(name_of(node.operation));
  return names;
}

std::vector<std::string> fields_of(const std::vector<GraphPort>& ports) {
  std::vector<std::string> fields;
  for (const GraphPort& port : ports) fields.push_back(port.field);
  return fields;
}

State tower_state(Modality modality, const Tensor& input, const Tensor& mask = {}) {
  State state;
  state.towers[modality].input = input;
  state.towers[modality].mask = mask;
  return state;
}

/// A mask of so many real frames among `frames`.
Tensor mask_of(std::int64_t frames, const std::vector<std::int64_t>& lengths) {
  return at::arange(frames).lt(torch::tensor(lengths).unsqueeze(1));
}

/// A stage of the decoder's that calls `forward`.
Stage stage_of(std::function<void(Executor&, State&)> forward) {
  return {"stage", /*correctable=*/false, std::move(forward)};
}

}  // namespace

TEST_CASE("replayed stages of decoders have the bits of the direct run, on other texts too",
          "[modules][graph]") {
  const torch::NoGradGuard no_grad;
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16);
  const std::string family = GENERATE("llama", "glm4", "glm", "qwen2", "qwen3");
  INFO(family);
  const Model model = family == "llama" ? tiny_llama("tied") : tiny_family(family);
  FloatExecutor executor(model.weights, dtype);
  check_replays(model.network, executor, text_starts(model.config.vocab_size));
}

TEST_CASE("replayed stages put keys and values behind those of the state's cache",
          "[modules][graph]") {
  const torch::NoGradGuard no_grad;
  const Model model = tiny_llama("tied");
  FloatExecutor executor(model.weights, at::kFloat);
  KvCache recorded_cache, direct_cache, replayed_cache;
  const Tensor ids = torch::tensor({{5, 3, 8}}, at::kLong);
  State recorded = make_state(ids, &recorded_cache);
  std::vector<Graph> graphs;
  for (const Stage& stage : model.network.stages)
    graphs.push_back(record(stage, executor, recorded));
  for (const std::int64_t step : {1, 2}) {
    State direct = make_state(ids * step, &direct_cache),
          replayed = make_state(ids * step, &replayed_cache);
    run(model.network, executor, direct);
    for (const Graph& graph : graphs) replay(graph, executor, replayed);
    CHECK(replayed.hidden.equal(direct.hidden));
    CHECK(replayed_cache.length() == 3 * step);
  }
  State without = make_state(ids);
  CHECK_THROWS_WITH(
      [&] {
        for (const Graph& graph : graphs) replay(graph, executor, without);
      }(),
      Catch::Contains("model.layers.0.self_attn: the graph was recorded with a cache"));
}

TEST_CASE("replayed stages of vision transformers have the bits of the direct run",
          "[modules][graph]") {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  const std::filesystem::path path =
      kReference / "vit" / GENERATE("huggingface", "classifier", "timm", "dinov2");
  INFO(path);
  const Network network =
      make_vit(VitConfig::from_json(data::JsonObject::read(path / "config.json")));
  FloatExecutor executor(std::make_shared<SafetensorsStore>(path), at::kFloat);
  const std::int64_t width = GENERATE(64, 96);  // as large as its positions, and larger
  const auto pixels = [&] {
    return tower_state(Modality::kImage, torch::randn({2, 3, 64, width}));
  };
  check_replays(network, executor, {pixels(), pixels()});
}

TEST_CASE("replayed stages of Conformers have the bits of the direct run, with other padding too",
          "[modules][graph]") {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(2);
  const std::string name = GENERATE("parakeet", "parakeet_plain", "torchaudio", "torchaudio_first");
  INFO(name);
  const std::filesystem::path path = kReference / "conformer" / name;
  const auto config = ConformerConfig::from_json(data::JsonObject::read(path / "config.json"));
  const auto weights = std::make_shared<TiedWeights>(std::make_shared<SafetensorsStore>(path),
                                                     conformer_aliases(config));
  FloatExecutor executor(weights, at::kFloat);
  const auto clips = [&](const Tensor& mask) {
    return tower_state(Modality::kAudio, torch::randn({2, 48, config.num_mel_bins}), mask);
  };
  check_replays(
      make_conformer(config), executor,
      {clips(mask_of(48, {48, 48})), clips(mask_of(48, {48, 29})), clips(mask_of(48, {17, 40}))});
  check_replays(make_conformer(config), executor, {clips({}), clips({})});
}

TEST_CASE("replayed stages of a Whisper's encoder have the bits of the direct run",
          "[modules][graph]") {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(5);
  const std::filesystem::path path = kReference / "whisper" / "generation";
  const auto config = WhisperConfig::from_json(data::JsonObject::read(path / "config.json"));
  FloatExecutor executor(std::make_shared<SafetensorsStore>(path), at::kFloat);
  const auto clips = [&](const Tensor& mask) {
    return tower_state(Modality::kAudio, torch::randn({2, 200, 32}), mask);
  };
  check_replays(make_whisper(config), executor,
                {clips(mask_of(200, {200, 200})), clips(mask_of(200, {17, 140}))});
  check_replays(make_whisper(config), executor, {clips({}), clips({})});
}

TEST_CASE("replayed stages of Glm4v, tower and decoder, have the bits of the direct run",
          "[modules][graph]") {
  const torch::NoGradGuard no_grad;
  const Model model = open_model(kGlm4v / "tiny");
  FloatExecutor executor(model.weights, at::kFloat);
  modules::NamedTensors expected = expected_tensors("glm4v/tiny.safetensors");
  const State first = glm4v_state(expected), other = other_glm4v_state(first);
  check_replays(model.network, executor, {first, other});
  check_replays(model.network, executor, {make_state(first.ids.slice(1, 0, 3))});  // no pictures
}

TEST_CASE("replayed stages of a composition have the bits of the direct run", "[modules][graph]") {
  const torch::NoGradGuard no_grad;
  const std::string name = GENERATE("model", "others");
  INFO(name);
  const Model model = open_model(kReference / "composition" / name);
  FloatExecutor executor(model.weights, at::kFloat);
  modules::NamedTensors expected = expected_tensors("composition/" + name + ".safetensors");
  State first = make_state(expected["ids"], expected["mask"].to(at::kBool));
  first.towers[Modality::kImage].input = expected["pixels"];
  first.towers[Modality::kAudio].input = expected["features"];
  first.towers[Modality::kAudio].mask = expected["features_mask"].to(at::kBool);
  State other = first;
  other.towers[Modality::kImage].input = expected["pixels"].flip(0);
  other.towers[Modality::kAudio].input = expected["features"] * 0.5;
  check_replays(model.network, executor, {first, other});
}

TEST_CASE("a graph lists a layer's operations in their order, with names and shapes",
          "[modules][graph]") {
  const torch::NoGradGuard no_grad;
  const Model model = tiny_llama("tied");
  FloatExecutor executor(model.weights, at::kFloat);
  State state = make_state(torch::tensor({{5, 3, 8}}, at::kLong));
  const Graph first = record(model.network.stages[0], executor, state);
  CHECK(names_of(first) == std::vector<std::string>{"embedding", "rotation_table"});
  CHECK(fields_of(first.inputs) == std::vector<std::string>{"ids", "positions"});
  CHECK(fields_of(first.outputs) ==
        std::vector<std::string>{"hidden", "rotation.cos", "rotation.sin"});
  const Graph layer = record(model.network.stages[1], executor, state);
  CHECK(names_of(layer) ==
        std::vector<std::string>{"norm_linear", "unflatten", "rotate",    "permute", "unflatten",
                                 "rotate",      "permute",   "unflatten", "permute", "attention",
                                 "permute",     "flatten",   "linear",    "add",     "tap",
                                 "norm_linear", "gated",     "linear",    "add",     "tap"});
  CHECK(fields_of(layer.inputs) ==
        std::vector<std::string>{"hidden", "rotation.cos", "rotation.sin"});
  CHECK(fields_of(layer.outputs) == std::vector<std::string>{"hidden"});
  CHECK(layer.stage == "model.layers.0");
  CHECK(layer.correctable);
  const GraphNode& qkv = layer.nodes.front();
  CHECK(std::get<NormLinearOp>(qkv.operation).refs[1].name == "model.layers.0.self_attn.k_proj");
  const GraphValue& q = layer.values[static_cast<std::size_t>(qkv.outputs[0])];
  CHECK(q.shape == std::vector<std::int64_t>{1, 3, 64});
  CHECK(q.dtype == at::kFloat);
  CHECK(layer.nodes.back().outputs.front() == layer.outputs.front().value);
}

TEST_CASE("a graph is found without data as with it", "[modules][graph]") {
  const torch::NoGradGuard no_grad;
  const Model model = open_model(kGlm4v / "tiny");
  modules::NamedTensors expected = expected_tensors("glm4v/tiny.safetensors");
  FloatExecutor executor(model.weights, at::kFloat);
  ShapeExecutor shapes;
  State state = glm4v_state(expected), meta = state;
  for_each_field(meta, [](const std::string& name, Tensor& tensor) {
    if (tensor.defined() && !is_made_on_host(name)) tensor = tensor.to(at::kMeta);
  });
  meta.positions = expected["positions"].to(at::kMeta);
  for (const Stage& stage : model.network.stages) {
    INFO(stage.name);
    const Graph real = record(stage, executor, state), shape = record(stage, shapes, meta);
    CHECK(names_of(real) == names_of(shape));
    for (std::size_t i = 0; i < real.nodes.size(); ++i) {
      for (std::size_t j = 0; j < real.nodes[i].outputs.size(); ++j) {
        const ValueId id = shape.nodes[i].outputs[j];
        if (id == kNoValue) continue;  // kinds
        CHECK(shape.values[static_cast<std::size_t>(id)].shape ==
              real.values[static_cast<std::size_t>(real.nodes[i].outputs[j])].shape);
      }
    }
  }
}

TEST_CASE("a tensor that a stage makes beside the executor is an error", "[modules][graph]") {
  FloatExecutor executor(std::make_shared<MemoryStore>(NamedTensors{}), at::kFloat);
  const auto message = [&](std::function<void(Executor&, State&)> forward) {
    State state = make_state(at::zeros({1, 2}, at::kLong));
    state.hidden = at::ones({1, 2, 3});
    return error_message([&] { record(stage_of(std::move(forward)), executor, state); });
  };
  CHECK(message([](Executor& e, State& state) {
          state.hidden = e.scale(state.hidden + state.hidden, 2.0);
        }) == "stage: scale is given a tensor that was made beside the executor");
  CHECK(message([](Executor&, State& state) { state.hidden = state.hidden * 2.0; }) ==
        "stage: hidden was made beside the executor");
  CHECK(message([](Executor& e, State& state) {
          const Tensor before = e.rotation_table({.dim = 4}, state.positions).cos;
          state.positions = state.positions + 1;
          e.rotation_table({.dim = 4}, state.positions);
        }) == "stage: positions is read before and after it is made");
}

TEST_CASE("a result that is an input's own tensor is another value in the graph",
          "[modules][graph]") {
  const torch::NoGradGuard no_grad;
  FloatExecutor executor(std::make_shared<MemoryStore>(NamedTensors{}), at::kFloat);
  const Stage stage = stage_of([](Executor& e, State& state) {
    const Tensor real = e.masked(state.hidden, state.mask, 1);
    state.hidden = e.add(state.hidden, real);
  });
  State state = make_state(at::zeros({1, 2}, at::kLong));  // without padding
  state.hidden = at::ones({1, 2, 1});
  const Graph graph = record(stage, executor, state);
  State padded = make_state(at::zeros({1, 2}, at::kLong), torch::tensor({{true, false}}));
  padded.hidden = at::ones({1, 2, 1});
  replay(graph, executor, padded);
  CHECK(padded.hidden.flatten().equal(torch::tensor({2.f, 1.f})));
}

TEST_CASE("a replay without one of the graph's inputs is an error", "[modules][graph]") {
  const torch::NoGradGuard no_grad;
  const Model model = tiny_llama("tied");
  FloatExecutor executor(model.weights, at::kFloat);
  State state = make_state(torch::tensor({{5, 3, 8}}, at::kLong));
  const Graph graph = record(model.network.stages[0], executor, state);
  State empty;
  CHECK(error_message([&] { replay(graph, executor, empty); }) ==
        "model.embed_tokens: the state has no ids, which its graph reads");
}
