#include "quant/export/export.h"

#include <torch/utils.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "data/base/error.h"
#include "data/files/atomic_file.h"
#include "data/files/checksum.h"
#include "data/files/file.h"
#include "data/formats/json.h"
#include "quant/calibrate/calibration.h"
#include "quant/execute/quantized_executor.h"
#include "quant/plan/planner.h"
#include "quant/stored/layout.h"
#include "quant/stored/stored_weight.h"
#include "quant/transform/transform.h"
#include "tests/quant/hand_made.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/model.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

/// A finished run: calibrated, with trained corrections and a trained norm.
struct Run {
  modules::Model model;
  at::ScalarType dtype;
  QuantizeOptions options;
  Plan plan;
  Tensor ids;
  Calibration calibration;
  std::shared_ptr<modules::WeightOverlay> weights;
  std::shared_ptr<CodeStore> codes;
  ActivationScales scales;
  modules::CorrectionOptions correction_options;
  modules::Corrections corrections;

  Run(modules::Model source, Tensor window, at::ScalarType compute, QuantizeOptions how = {});

  void export_to(const std::filesystem::path& directory) const {
    export_model(directory,
                 {.model = model,
                  .codes = *codes,
                  .dtype = dtype,
                  .plan = plan,
                  .options = options,
                  .scales = scales,
                  .corrections = corrections,
                  .correction_options = correction_options,
                  .provenance = {{"recipe", "what it was made with"}}},
                 [](std::int64_t) {});
  }
  QuantizedExecutor executor() const {
    return {weights, dtype, plan, scales, Compute::kInteger, InputGradients::kFloat, codes};
  }
  Tensor logits() const {
    const torch::NoGradGuard no_grad;
    QuantizedExecutor quantized = executor();
    modules::Corrected corrected(quantized, corrections);
    return logits_of(model.network, corrected, ids);
  }
};

Run::Run(modules::Model source, Tensor window, at::ScalarType compute, QuantizeOptions how)
    : model(std::move(source)),
      dtype(compute),
      options(std::move(how)),
      plan(make_plan(model.structure, options)),
      ids(std::move(window)),
      calibration(calibrate(model.network, model.weights, dtype, plan, ids.split(1), [] {})),
      weights(std::make_shared<modules::WeightOverlay>(
          transformed(model.weights, plan, calibration.transforms))),
      codes(std::make_shared<CodeStore>(weights)),
      scales(calibration.scales()),
      correction_options{.reduction = 8,
                         .input = modules::CorrectionInput::kRaw,
                         .beta = modules::CorrectionBeta::kScalar,
                         .ignore = {}},
      corrections(plan.stages, correction_options, /*seed=*/0) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(12);
  for (auto& [name, parameter] : corrections.parameters()) {
    Tensor(parameter).add_(torch::randn_like(parameter), 0.02);
  }
  corrections.drop(plan.stages.front().name);
  const Tensor norm = model.weights->get("model.norm.weight").to(at::kFloat);
  weights->set("model.norm.weight", norm * (1.0 + 0.1 * torch::rand_like(norm)));
}

Run tiny_run(const std::string& variant, at::ScalarType dtype, QuantizeOptions options = {}) {
  return {tiny_llama(variant), expected_tensors("tiny_llama/" + variant + ".safetensors")["ids"],
          dtype, std::move(options)};
}

Run tiny_family_run(const std::string& family, at::ScalarType dtype) {
  return {tiny_family(family), expected_tensors("tiny_families/" + family + ".safetensors")["ids"],
          dtype};
}

/// Logits of a model opened from a directory.
Tensor exported_logits(const std::filesystem::path& directory, at::ScalarType dtype,
                       const Tensor& ids, Compute compute = Compute::kInteger) {
  const torch::NoGradGuard no_grad;
  const modules::Model model = modules::open_model(directory);
  const ExportedModel exported = open_export(model);
  QuantizedExecutor quantized(model.weights, dtype, exported.plan, exported.scales, compute);
  modules::Corrected corrected(quantized, exported.corrections);
  return logits_of(model.network, corrected, ids);
}

/// Flips one bit in the middle of a file.
void damage(const std::filesystem::path& path) {
  const auto middle = static_cast<std::streamoff>(std::filesystem::file_size(path) / 2);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(middle);
  const int byte = file.get();
  file.seekp(middle);
  file.put(static_cast<char>(byte ^ 1));
}

/// Replaces a file of the export, as if it had been written with this content.
void rewrite(const std::filesystem::path& directory, const std::string& name,
             const nlohmann::json& content) {
  write_file(directory / name, content.dump());
  nlohmann::json description = data::read_json(directory / "dualpath.json");
  description["sha256"][name] = sha256_file(directory / name);
  write_file(directory / "dualpath.json", description.dump());
}

/// Trains everything trainable, by a few plain steps on a made loss.
void train_weights(const Run& run) {
  torch::manual_seed(13);
  for (const std::string& name : run.weights->names())
    run.weights->set(name, run.weights->get(name).to(at::kFloat).clone().requires_grad_());
  QuantizedExecutor executor = run.executor();
  for (int step = 0; step < 3; ++step) {
    const Tensor logits = logits_of(run.model.network, executor, run.ids);
    (logits - torch::randn(logits.sizes())).square().mean().backward();
    const torch::NoGradGuard no_grad;
    for (const auto& [name, weight] : run.weights->trained()) {
      Tensor(weight).sub_(weight.grad() * (0.1 * weight.norm() / weight.grad().norm()));
      Tensor(weight).mutable_grad().reset();
    }
  }
}

/// The last output's codes first: on the planned grid, but no rounding of the weight.
GridWeight upside_down(const GridWeight& weight) {
  GridWeight other = weight;
  other.codes = weight.codes.flip(0);
  other.scale = weight.scale.flip(0);
  if (weight.zero_point.defined()) other.zero_point = weight.zero_point.flip(0);
  return other;
}

QuantizeOptions smoothed_mix() {
  QuantizeOptions options = mixed_schemes();
  options.smoothing.emplace();
  return options;
}

QuantizeOptions mlp_by_moving_average() {
  QuantizeOptions options;
  options.config_groups.front() = {.name = "mlp", .targets = {"re:.*mlp.*"}};
  options.config_groups.front().input_activations->observer = ObserverKind::kMovingAverage;
  return options;
}

}  // namespace

TEST_CASE("an export opened again has the run's logits to the bit", "[quant][export]") {
  const auto [variant, dtype] =
      GENERATE(table<std::string, at::ScalarType>({{"tied", at::kFloat},
                                                   {"tied", at::kBFloat16},
                                                   {"untied_sharded", at::kFloat},
                                                   {"untied_sharded", at::kBFloat16},
                                                   {"bfloat16", at::kBFloat16},
                                                   {"float16", at::kHalf}}));
  INFO(variant << " " << c10::toString(dtype));
  const TemporaryDirectory directory;
  const Run run = tiny_run(variant, dtype);
  run.export_to(directory / "export");
  CHECK(exported_logits(directory / "export", dtype, run.ids).equal(run.logits()));
}

TEST_CASE("an export of any family opened again has the run's logits to the bit",
          "[quant][export]") {
  const std::string family = GENERATE("glm4", "glm", "qwen2", "qwen3");
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16);
  INFO(family << " " << c10::toString(dtype));
  const TemporaryDirectory directory;
  const Run run = tiny_family_run(family, dtype);
  run.export_to(directory / "export");
  CHECK(exported_logits(directory / "export", dtype, run.ids).equal(run.logits()));
}

TEST_CASE("an export of dynamic inputs and trained weights has the run's logits to the bit",
          "[quant][export]") {
  const auto [variant, dtype] = GENERATE(table<std::string, at::ScalarType>(
      {{"tied", at::kFloat}, {"untied_sharded", at::kBFloat16}, {"bfloat16", at::kBFloat16}}));
  const QuantizeOptions options = GENERATE(QuantizeOptions{}, token_inputs(), mlp_by_token());
  const bool trained = GENERATE(false, true);
  INFO(variant << " " << c10::toString(dtype) << (trained ? ", trained" : ""));
  const TemporaryDirectory directory;
  const Run run = tiny_run(variant, dtype, options);
  const Tensor before = run.logits();
  if (trained) train_weights(run);
  run.export_to(directory / "export");
  const Tensor logits = exported_logits(directory / "export", dtype, run.ids);
  CHECK(logits.equal(run.logits()));
  CHECK(logits.equal(before) != trained);
}

TEST_CASE("an export of few bits has the run's logits to the bit", "[quant][export]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16);
  const QuantizeOptions options =
      GENERATE(mixed_schemes(), all_by(weights_of(4, Strategy::kChannel, 0, true), kInputInt8),
               all_by(weights_of(4, Strategy::kGroup, 32, false), kTokenInt8),
               all_by(weights_of(6, Strategy::kChannel, 0, false), std::nullopt),
               all_by(weights_of(3, Strategy::kGroup, 32, true), std::nullopt),
               all_by(weights_of(8, Strategy::kGroup, 32, true), kInputInt8),
               all_by(weights_of(8, Strategy::kChannel, 0, true), std::nullopt));
  const bool trained = GENERATE(false, true);
  INFO(name_of(options.config_groups.front().weights.strategy)
       << " " << options.config_groups.front().weights.num_bits << (trained ? ", trained" : ""));
  const TemporaryDirectory directory;
  const Run run = tiny_run("tied", dtype, options);
  if (trained) train_weights(run);
  run.export_to(directory / "export");
  CHECK(exported_logits(directory / "export", dtype, run.ids).equal(run.logits()));
  const ExportedModel exported = open_export(modules::open_model(directory / "export"));
  for (const PlannedLinear& linear : run.plan.linears) {
    const PlannedLinear* again = exported.plan.linear(linear.ref.name);
    REQUIRE(again);
    CHECK(again->weights == linear.weights);
    CHECK(again->input_activations == linear.input_activations);
  }
}

TEST_CASE("an export with a quantized head has the run's logits to the bit", "[quant][export]") {
  const std::string variant = GENERATE("tied", "untied_sharded");
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16);
  QuantizeOptions options = GENERATE(QuantizeOptions{}, token_inputs(), table_in_four_bits());
  options.ignore.clear();
  const bool trained = GENERATE(false, true);
  const TemporaryDirectory directory;
  const Run run = tiny_run(variant, dtype, options);
  if (trained) train_weights(run);
  run.export_to(directory / "export");
  CHECK(exported_logits(directory / "export", dtype, run.ids).equal(run.logits()));
  const data::SafetensorsReader file(directory / "export/model.safetensors");
  const bool tied = variant == "tied";
  CHECK(std::ranges::count(file.names(), "model.embed_tokens.weight_scale") == (tied ? 1 : 0));
  CHECK(std::ranges::count(file.names(), "lm_head.weight_scale") == (tied ? 0 : 1));
}

TEST_CASE("both ends of a quantized tied table are its codes", "[quant][export]") {
  const torch::NoGradGuard no_grad;
  const Run run = tiny_run("tied", at::kFloat, table_in_four_bits());
  QuantizedExecutor executor(run.weights, at::kFloat, run.plan, run.scales);
  const Tensor rows = executor.embedding({"model.embed_tokens", 0, 0}, torch::tensor({{3, 1}}));
  const Tensor table = run.model.weights->get("model.embed_tokens.weight");
  const Tensor values =
      quantize_weight(table, "table", run.plan.linears.back().weights).dequantized(at::kFloat);
  CHECK(rows.equal(values.index({torch::tensor({{3, 1}})})));
  CHECK_FALSE(rows.equal(table.index({torch::tensor({{3, 1}})})));
}

TEST_CASE("an export of smoothed weights and quantized attention has the run's logits to the bit",
          "[quant][export]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16);
  QuantizeOptions options = GENERATE(QuantizeOptions{}, mixed_schemes(), torn_schemes());
  options.smoothing = SmoothingOptions{.search = true};
  const TemporaryDirectory directory;
  const Run run = tiny_run("tied", dtype, options);
  run.export_to(directory / "export");
  CHECK(exported_logits(directory / "export", dtype, run.ids).equal(run.logits()));
  // The export opens smooth: nothing is left to fold, and all else equals the first plan.
  ExportedModel exported = open_export(modules::open_model(directory / "export"));
  CHECK(exported.plan.folds.empty());
  exported.plan.folds = run.plan.folds;
  exported.plan.smoothing = run.plan.smoothing;
  CHECK(exported.plan.fingerprint() == run.plan.fingerprint());
}

TEST_CASE("an export of a plan with overrides has the run's logits to the bit", "[quant][export]") {
  QuantizeOptions options;
  options.overrides["model.layers.1.mlp.down_proj.weight"] =
      weights_of(4, Strategy::kGroup, 32, false);
  options.overrides["model.layers.0.self_attn.v_proj.input"] = kTokenInt8;
  const TemporaryDirectory directory;
  const Run run = tiny_run("tied", at::kFloat, options);
  run.export_to(directory / "export");
  CHECK(exported_logits(directory / "export", at::kFloat, run.ids).equal(run.logits()));
  CHECK(open_export(modules::open_model(directory / "export")).plan.fingerprint() ==
        run.plan.fingerprint());
}

TEST_CASE("config.json tells of keys and values in the cache, and of attention",
          "[quant][export]") {
  const TemporaryDirectory directory;
  const Run run = tiny_run("tied", at::kFloat, torn_schemes());
  run.export_to(directory / "export");
  const nlohmann::json config =
      data::read_json(directory / "export/config.json")["quantization_config"];
  const nlohmann::json scheme{{"num_bits", 8},     {"type", "int"},
                              {"symmetric", true}, {"strategy", "attn_head"},
                              {"dynamic", false},  {"observer", "minmax"}};
  CHECK(config["kv_cache_scheme"] == scheme);
  const nlohmann::json attention = config["config_groups"]["group_4"];
  CHECK(attention["targets"] ==
        std::vector<std::string>{"model.layers.0.self_attn", "model.layers.2.self_attn"});
  CHECK(attention["input_activations"] == scheme);
  CHECK(attention["weights"] == nullptr);
  const data::SafetensorsReader file(directory / "export/model.safetensors");
  const modules::AttentionRef ref = run.model.structure.attentions.front().ref;
  CHECK(file.tensor("model.layers.0.self_attn.q_scale").shape ==
        std::vector<std::int64_t>{ref.num_heads, 1, 1});
  CHECK(file.tensor("model.layers.1.self_attn.k_scale").shape ==
        std::vector<std::int64_t>{ref.num_key_value_heads, 1, 1});
  CHECK(std::ranges::count(file.names(), "model.layers.1.self_attn.q_scale") == 0);
}

TEST_CASE("a mixed export names each linear in its group, and the format of each",
          "[quant][export]") {
  const TemporaryDirectory directory;
  const Run run = tiny_run("tied", at::kFloat, mixed_schemes());
  run.export_to(directory / "export");
  const nlohmann::json config =
      data::read_json(directory / "export/config.json")["quantization_config"];
  CHECK(config["format"] == "mixed-precision");
  const nlohmann::json groups = config["config_groups"];
  CHECK(groups["group_0"]["format"] == "pack-quantized");
  CHECK(groups["group_0"]["input_activations"] == nullptr);
  CHECK(groups["group_0"]["targets"].size() == 7);
  CHECK(groups["group_0"]["weights"] == nlohmann::json{{"num_bits", 4},
                                                       {"type", "int"},
                                                       {"symmetric", false},
                                                       {"strategy", "group"},
                                                       {"group_size", 32},
                                                       {"dynamic", false},
                                                       {"observer", "minmax"}});
  CHECK(groups["group_1"]["format"] == "int-quantized");
  CHECK(groups["group_2"]["format"] == "pack-quantized");
  CHECK(groups["group_2"]["targets"] == std::vector<std::string>{"model.layers.0.mlp.gate_proj",
                                                                 "model.layers.0.mlp.up_proj",
                                                                 "model.layers.0.mlp.down_proj"});
  CHECK(config["ignore"].size() == 7 + 1);
}

TEST_CASE("what a mixed plan leaves alone is exported byte for byte", "[quant][export]") {
  const TemporaryDirectory directory;
  const Run run = tiny_run("bfloat16", at::kFloat, mixed_schemes());
  run.export_to(directory / "export");
  const data::SafetensorsReader file(directory / "export/model.safetensors");
  std::size_t kept = 0;
  for (const std::string& name : run.model.weights->names()) {
    if (run.plan.linear(name.substr(0, name.rfind('.'))) || name == "model.norm.weight") continue;
    INFO(name);
    const Tensor source = run.model.weights->get(name).contiguous();
    const auto bytes = modules::view_of(source).bytes, copied = file.tensor(name).bytes;
    CHECK(std::equal(bytes.begin(), bytes.end(), copied.begin(), copied.end()));
    ++kept;
  }
  CHECK(kept == 1 + 3 * 2 + 7);  // the table, norms, and the layer in float
}

TEST_CASE("the GGUF model's export has the run's logits to the bit", "[quant][export]") {
  const TemporaryDirectory directory;
  const Tensor ids = expected_tensors("smollm2/smollm2_logits.safetensors")["ids"];
  const Run run(modules::open_model(kSmolLM2), ids.narrow(1, 0, 16), at::kBFloat16);
  run.export_to(directory / "export");
  CHECK(exported_logits(directory / "export", at::kBFloat16, run.ids).equal(run.logits()));
  for (const char* file : {"tokenizer.json", "tokenizer_config.json"}) {
    CHECK(read_file(directory / "export" / file) == run.model.made_files.at(file));
  }
}

TEST_CASE("an export holds exactly the tensors and bytes that were planned", "[quant][export]") {
  const auto [variant, options] = GENERATE(table<std::string, QuantizeOptions>(
      {{"untied_sharded", QuantizeOptions{}},
       {"untied_sharded", token_inputs()},
       {"untied_sharded", mlp_by_token()},
       {"untied_sharded", all_by(weights_of(3, Strategy::kChannel, 0, false), kInputInt8)},
       {"tied", mixed_schemes()},
       {"tied", torn_schemes()},
       {"tied", table_in_four_bits()},
       {"tied", smoothed_mix()}}));
  const bool trained = GENERATE(false, true);
  const TemporaryDirectory directory;
  const Run run = tiny_run(variant, at::kBFloat16, options);
  if (trained) train_weights(run);
  run.export_to(directory / "export");
  const auto planned = planned_bytes(run.plan, *run.weights, run.dtype);
  const data::SafetensorsReader file(directory / "export/model.safetensors");
  CHECK(file.names().size() == planned.size());
  std::int64_t bytes = 0;
  for (const PlannedBytes& weight : planned) {
    INFO(weight.name);
    const data::TensorView& tensor = file.tensor(weight.name);
    CHECK(tensor.shape == weight.shape);
    CHECK(data::name_of(tensor.dtype) == weight.dtype);
    bytes += static_cast<std::int64_t>(tensor.bytes.size());
  }
  CHECK(bytes == total_bytes(planned));
  // Training in float32 makes no matrix of the export larger.
  if (std::ranges::count(file.names(), "model.embed_tokens.weight") > 0)
    CHECK(data::name_of(file.tensor("model.embed_tokens.weight").dtype) ==
          (trained ? "BF16" : "F32"));
}

TEST_CASE("an export has codes and scales for what is quantized, the source's bytes for the rest",
          "[quant][export]") {
  const TemporaryDirectory directory;
  const Run run = tiny_run("float16", at::kFloat);
  run.export_to(directory / "export");
  const modules::NamedTensors exported =
      modules::read_tensors(data::SafetensorsReader(directory / "export/model.safetensors"));
  for (const std::string& name : run.model.weights->names()) {
    INFO(name);
    const Tensor source = run.model.weights->get(name);
    const std::string module = name.substr(0, name.rfind('.'));
    const PlannedLinear* linear = run.plan.linear(module);
    if (linear) {
      const GridWeight weight = quantize_weight(source, name);
      CHECK(exported.at(name).equal(weight.codes));
      CHECK(exported.at(module + ".weight_scale").equal(weight.scale.unsqueeze(1)));
      CHECK(exported.at(module + ".input_scale").equal(run.scales.get(linear->group)));
    } else if (name == "model.norm.weight") {  // trained
      CHECK(exported.at(name).equal(run.weights->get(name)));
    } else {
      CHECK(exported.at(name).scalar_type() == source.scalar_type());
      CHECK(exported.at(name).equal(source));
    }
  }
}

TEST_CASE("an export has the codes that the run's executor multiplies, trained and smoothed, too",
          "[quant][export]") {
  const QuantizeOptions options = GENERATE(QuantizeOptions{}, mixed_schemes(), smoothed_mix());
  const bool trained = GENERATE(false, true);
  const TemporaryDirectory directory;
  const Run run = tiny_run("tied", at::kBFloat16, options);
  if (trained) train_weights(run);
  QuantizedExecutor executor = run.executor();
  logits_of(run.model.network, executor, run.ids);
  std::map<std::string, std::shared_ptr<const GridWeight>> multiplied;
  for (const PlannedLinear& linear : run.plan.linears) {
    multiplied[linear.ref.name] = run.codes->get(linear);
    CHECK(multiplied[linear.ref.name].use_count() == 2);  // the executor's, too
  }
  run.export_to(directory / "export");
  const modules::Model exported = modules::open_model(directory / "export");
  for (const PlannedLinear& linear : run.plan.linears) {
    INFO(linear.ref.name);
    CHECK(run.codes->get(linear) == multiplied.at(linear.ref.name));
    const GridWeight read = grid_weight(*exported.weights, linear);
    CHECK(read.codes.equal(multiplied.at(linear.ref.name)->codes));
    CHECK(read.scale.equal(multiplied.at(linear.ref.name)->scale));
  }
}

TEST_CASE("codes that are no rounding of the weight are multiplied and exported as they are",
          "[quant][export]") {
  const Compute compute = GENERATE(Compute::kInteger, Compute::kSimulate);
  const TemporaryDirectory directory;
  const Run run = tiny_run("tied", at::kFloat, GENERATE(QuantizeOptions{}, smoothed_mix()));
  const Tensor rounded = run.logits();
  std::map<std::string, GridWeight> codes;
  for (const PlannedLinear& linear : run.plan.linears) {
    codes[linear.ref.name] = upside_down(*run.codes->get(linear));
    run.codes->set(linear, codes[linear.ref.name]);
  }
  run.export_to(directory / "export");
  const modules::Model exported = modules::open_model(directory / "export");
  for (const PlannedLinear& linear : run.plan.linears) {
    const GridWeight read = grid_weight(*exported.weights, linear);
    CHECK(read.codes.equal(codes.at(linear.ref.name).codes));
    CHECK(read.scale.equal(codes.at(linear.ref.name).scale));
  }
  CHECK_FALSE(run.logits().equal(rounded));
  CHECK(exported_logits(directory / "export", at::kFloat, run.ids, compute).equal(run.logits()));
}

TEST_CASE("config.json says how the weights are quantized, in compressed-tensors' words",
          "[quant][export]") {
  const TemporaryDirectory directory;
  const Run run = tiny_run("tied", at::kBFloat16);
  run.export_to(directory / "export");
  const nlohmann::json config = data::read_json(directory / "export/config.json");
  const nlohmann::json args{{"num_bits", 8},
                            {"type", "int"},
                            {"symmetric", true},
                            {"dynamic", false},
                            {"observer", "minmax"}};
  nlohmann::json weights = args, inputs = args;
  weights["strategy"] = "channel";
  inputs["strategy"] = "tensor";
  CHECK(config["quantization_config"] == nlohmann::json{{"quant_method", "compressed-tensors"},
                                                        {"format", "int-quantized"},
                                                        {"quantization_status", "compressed"},
                                                        {"config_groups",
                                                         {{"group_0",
                                                           {{"targets", {"Linear"}},
                                                            {"weights", weights},
                                                            {"input_activations", inputs},
                                                            {"output_activations", nullptr}}}}},
                                                        {"ignore", {"lm_head"}}});
  CHECK(config["dtype"] == "bfloat16");
  nlohmann::json rest = config, source = run.model.config_json;
  rest.erase("quantization_config");
  rest.erase("dtype");
  source.erase("dtype");
  CHECK(rest == source);
}

TEST_CASE("config.json says that scales are found by token, and there are none",
          "[quant][export]") {
  const TemporaryDirectory directory;
  const Run run = tiny_run("tied", at::kBFloat16, token_inputs());
  run.export_to(directory / "export");
  const nlohmann::json config = data::read_json(directory / "export/config.json");
  CHECK(config["quantization_config"]["config_groups"]["group_0"]["input_activations"] ==
        nlohmann::json{{"num_bits", 8},
                       {"type", "int"},
                       {"symmetric", true},
                       {"strategy", "token"},
                       {"dynamic", true}});
  const data::SafetensorsReader file(directory / "export/model.safetensors");
  CHECK(std::none_of(file.names().begin(), file.names().end(),
                     [](const auto& name) { return name.ends_with("input_scale"); }));
}

TEST_CASE("an export's plan and scales are the run's", "[quant][export]") {
  const TemporaryDirectory directory;
  const QuantizeOptions options = GENERATE(mlp_by_moving_average(), mlp_by_token());
  const Run run = tiny_run("tied", at::kFloat, options);
  run.export_to(directory / "export");
  const ExportedModel exported = open_export(modules::open_model(directory / "export"));
  CHECK(exported.plan.fingerprint() == run.plan.fingerprint());
  for (const TensorGroup& group : run.plan.groups) {
    CHECK(exported.scales.contains(group.name) == !group.args.dynamic);
    if (!group.args.dynamic)
      CHECK(exported.scales.get(group.name).equal(run.scales.get(group.name)));
  }
  CHECK(exported.corrections.stages() == run.corrections.stages());
}

TEST_CASE("an export whose inputs are quantized as none of ours is refused", "[quant][export]") {
  const TemporaryDirectory directory;
  tiny_run("tied", at::kFloat).export_to(directory / "export");
  nlohmann::json config = data::read_json(directory / "export/config.json");
  auto& inputs = config["quantization_config"]["config_groups"]["group_0"]["input_activations"];
  const std::string inputs_key = "group_0.input_activations";
  const auto refused = [&](const char* strategy, bool dynamic) {
    inputs["strategy"] = strategy;
    inputs["dynamic"] = dynamic;
    rewrite(directory / "export", "config.json", config);
    return error_message([&] { open_export(modules::open_model(directory / "export")); });
  };
  for (const char* strategy : {"channel", "group"})
    CHECK_THAT(
        refused(strategy, false),
        Catch::EndsWith(inputs_key + ".strategy: expected tensor or token, got " + strategy));
  CHECK_THAT(
      refused("token", false),
      Catch::EndsWith(inputs_key + ": expected dynamic: true with strategy: token, got false"));
  CHECK_THAT(
      refused("tensor", true),
      Catch::EndsWith(inputs_key + ": expected dynamic: false with strategy: tensor, got true"));
}

TEST_CASE("the source's other files are copied, and what made the export is written down",
          "[quant][export]") {
  const TemporaryDirectory directory;
  std::filesystem::create_directory(directory / "links");
  for (const auto& entry :
       std::filesystem::directory_iterator(kReference / "tiny_llama/untied_sharded")) {
    std::filesystem::create_symlink(std::filesystem::absolute(entry.path()),
                                    directory / "links" / entry.path().filename());
  }
  const Run run(modules::open_model(directory / "links"),
                expected_tensors("tiny_llama/untied_sharded.safetensors")["ids"], at::kFloat);
  run.export_to(directory / "export");
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory / "export")) {
    CHECK_FALSE(entry.is_symlink());
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  CHECK(names == std::vector<std::string>{"config.json", "correction.json",
                                          "correction.safetensors", "dualpath.json",
                                          "generation_config.json", "model.safetensors",
                                          "tokenizer.json", "tokenizer_config.json"});
  for (const auto& file : run.model.companion_files) {
    CHECK(read_file(directory / "export" / file.filename().string()) == read_file(file));
  }
  const nlohmann::json correction = data::read_json(directory / "export/correction.json");
  CHECK(correction["stages"] ==
        nlohmann::json::array({{{"name", "model.layers.1"}, {"hidden_size", 72}}}));
  CHECK(correction["input"] == "raw");
  CHECK(correction["beta"] == "scalar");
  CHECK(correction["reduction"] == 8);
  CHECK(correction["parameters"] == run.corrections.parameter_count());
  const nlohmann::json description = data::read_json(directory / "export/dualpath.json");
  CHECK(description["recipe"] == "what it was made with");
  CHECK(description["sha256"].size() == names.size() - 1);  // all files but itself
}

TEST_CASE("corrections of several widths come back from an export", "[quant][export]") {
  const TemporaryDirectory directory;
  Run run = tiny_run("tied", at::kFloat);
  run.corrections = modules::Corrections({{"model.layers.1", 64}, {"visual.blocks.0", 48}},
                                         run.correction_options, /*seed=*/5);
  run.export_to(directory / "export");
  const modules::Corrections read =
      open_export(modules::open_model(directory / "export")).corrections;
  CHECK(read.stages() == run.corrections.stages());
  CHECK(read.width("model.layers.1") == 64);
  CHECK(read.width("visual.blocks.0") == 48);
  for (const auto& [name, value] : run.corrections.parameters())
    CHECK(read.parameters().at(name).equal(value));
}

TEST_CASE("an export is opened that was written when all corrections had one width",
          "[quant][export]") {
  const TemporaryDirectory directory;
  const Run run = tiny_run("tied", at::kFloat);
  run.export_to(directory / "export");
  nlohmann::json correction = data::read_json(directory / "export/correction.json");
  correction["hidden_size"] = 64;
  correction["stages"] = run.corrections.stages();
  rewrite(directory / "export", "correction.json", correction);
  CHECK(exported_logits(directory / "export", at::kFloat, run.ids).equal(run.logits()));
}

TEST_CASE("an export replaces the one before", "[quant][export]") {
  const TemporaryDirectory directory;
  const Run run = tiny_run("tied", at::kFloat);
  run.export_to(directory / "export");
  rewrite(directory / "export", "old.json", {{"old", true}});
  run.export_to(directory / "export");
  CHECK_FALSE(std::filesystem::exists(directory / "export/old.json"));
  CHECK(exported_logits(directory / "export", at::kFloat, run.ids).equal(run.logits()));
}

TEST_CASE("an export with more in it than was exported is kept", "[quant][export]") {
  const TemporaryDirectory directory;
  const Run run = tiny_run("tied", at::kFloat);
  run.export_to(directory / "export");
  const auto [add, name] = GENERATE(table<void (*)(const std::filesystem::path&), std::string>({
      {[](const auto& path) { std::ofstream(path / "README.md") << "mine"; }, "README.md"},
      {[](const auto& path) { std::filesystem::create_directory(path / "onnx"); }, "onnx"},
      {[](const auto& path) { write_file(path / "config.json", "{}"); }, "config.json"},
      {[](const auto& path) {
         std::filesystem::rename(path / "config.json", path / "config.old");
         std::filesystem::create_symlink("config.old", path / "config.json");
       },
       "config.json, config.old"},
  }));
  add(directory / "export");
  CHECK(error_message([&] { run.export_to(directory / "export"); }) ==
        (directory / "export").string() +
            ": expected a new directory or an older export to replace, but it holds something "
            "else: " +
            name);
  CHECK(std::filesystem::exists(directory / "export/model.safetensors"));
}

TEST_CASE("an export goes where a link leads", "[quant][export]") {
  const TemporaryDirectory directory;
  const Run run = tiny_run("tied", at::kFloat);
  std::filesystem::create_directory(directory / "disk");
  std::filesystem::create_directory_symlink("disk/made-later", directory / "export");
  run.export_to(directory / "export/");
  run.export_to(directory / "export");
  CHECK(std::filesystem::is_symlink(directory / "export"));
  CHECK(exported_logits(directory / "disk/made-later", at::kFloat, run.ids).equal(run.logits()));
}

TEST_CASE("a plan with a scale a modality is not exported as compressed-tensors",
          "[quant][export]") {
  const TemporaryDirectory directory;
  Run run = tiny_run("tied", at::kFloat);
  run.plan.groups.front().separate = {modules::Modality::kText, modules::Modality::kImage};
  CHECK(error_message([&] { run.export_to(directory / "export"); }) ==
        "model.layers.0.self_attn.q_proj.input: has a scale a modality, which compressed-tensors "
        "has no word for; export.format: dualpath has");
  CHECK_FALSE(std::filesystem::exists(directory / "export"));
}

TEST_CASE("an export does not replace a directory of another kind", "[quant][export]") {
  const TemporaryDirectory directory;
  std::ofstream(directory / "thesis.tex") << "somebody's work";
  CHECK_THAT(error_message([&] { tiny_run("tied", at::kFloat).export_to(directory.path()); }),
             Catch::StartsWith(directory.path().string() + ": expected a new directory"));
  CHECK(std::filesystem::exists(directory / "thesis.tex"));
}

TEST_CASE("an export of a head beside a tied table says that they are two", "[quant][export]") {
  const TemporaryDirectory directory;
  std::filesystem::copy(kReference / "tiny_llama/tied", directory / "model");
  const auto weights = directory / "model/model.safetensors";
  modules::NamedTensors tensors = modules::read_tensors(data::SafetensorsReader(weights));
  tensors["lm_head.weight"] = tensors.at("model.embed_tokens.weight").flip(0).contiguous();
  modules::write_tensors(weights, tensors);
  const Run run(modules::open_model(directory / "model"),
                expected_tensors("tiny_llama/tied.safetensors")["ids"], at::kFloat);
  run.export_to(directory / "export");
  CHECK(data::read_json(directory / "export/config.json")["tie_word_embeddings"] == false);
  CHECK(exported_logits(directory / "export", at::kFloat, run.ids).equal(run.logits()));
}

TEST_CASE("a damaged file of an export is named", "[quant][export]") {
  const std::string name =
      GENERATE("model.safetensors", "correction.safetensors", "correction.json", "tokenizer.json");
  const TemporaryDirectory directory;
  const Run run = tiny_run("tied", at::kFloat);
  run.export_to(directory / "export");
  const modules::Model model = modules::open_model(directory / "export");
  damage(directory / "export" / name);
  CHECK(error_message([&] { open_export(model); }) ==
        (directory / "export" / name).string() +
            ": damaged: its checksum is not the one in dualpath.json");
}

TEST_CASE("an export without its description is refused by name", "[quant][export]") {
  const modules::Model model = modules::open_model(kReference / "int8_export/tied");
  CHECK_THAT(error_message([&] { open_export(model); }),
             Catch::StartsWith((model.path / "dualpath.json").string() + ": sha256"));
}
