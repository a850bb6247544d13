#include "trainer/recipe/recipe.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <set>
#include <stdexcept>

#include "data/base/error.h"
#include "data/files/file.h"
#include "data/patterns/target.h"
#include "quant/visit_args.h"
#include "trainer/recipe/byte_size.h"
#include "trainer/recipe/reader.h"
#include "trainer/recipe/writer.h"

// Visits every key of a recipe, once: its name, the field it fills, the values that fit. The
// defaults are the structs' own.

namespace dualpath::trainer {
namespace {

constexpr std::size_t kMaxBytes = 1 << 20;

constexpr Range<std::int64_t> kCount{1, 1'000'000'000};
constexpr Range<double> kWeight{.low = 0};
constexpr Range<double> kShare{0, 1};
constexpr Range<double> kPositive{.low = std::numeric_limits<double>::denorm_min()};

void visit_model(RecipeVisitor& visitor, modules::ModelOptions& model) {
  visitor.path("path", model.path, Presence::kRequired);
  visitor.choice("dtype", model.dtype, modules::kComputeDtypes);
}

void visit_split(RecipeVisitor& visitor, std::array<double, 3>& split) {
  visitor.number("train", split[0], kPositive);
  visitor.number("selection", split[1], kPositive);
  visitor.number("test", split[2], kPositive);
  const double sum = split[0] + split[1] + split[2];
  visitor.check(std::abs(sum - 1) < 1e-6, "shares that sum to 1", fmt::format("{:.6g}", sum));
}

void visit_data(RecipeVisitor& visitor, data::DataOptions& data) {
  visitor.path("train", data.train, Presence::kRequired);
  visitor.path("selection", data.selection, Presence::kOptional);
  visitor.path("test", data.test, Presence::kOptional);
  visitor.check(data.selection.empty() == data.test.empty(),
                "selection and test together, or neither",
                data.test.empty() ? "selection alone" : "test alone");
  if (data.has_own_parts()) {
    visitor.stated("split", {}, "nothing, since selection and test are given");
  } else {
    visitor.section("split", [&] { visit_split(visitor, data.split); });
  }
  visitor.path("out_of_domain", data.out_of_domain, Presence::kOptional);
  visitor.integer("window", data.window, {2, 1 << 20});
  visitor.boolean("assistant_only_loss", data.assistant_only_loss);
}

/// Shows a scheme's fields to a recipe's visitor; only values that a recipe offers fit.
class RecipeArgs : public quant::ArgsVisitor {
 public:
  explicit RecipeArgs(RecipeVisitor& visitor) : visitor_(visitor) {}

  template <class T, std::size_t N>
  void number(std::string_view key, T& field, const quant::Supported<T, N>& supported) {
    visitor_.choice(key, field, supported.offered);
  }
  template <std::size_t N>
  void number(std::string_view key, std::int64_t& group_size,
              const quant::Supported<std::int64_t, N>& supported) {
    if (group_size == 0) group_size = quant::kUsualGroupSize;
    visitor_.choice(key, group_size, supported.offered);
  }
  template <class T, std::size_t N>
  void choice(std::string_view key, T& field, const Named<T> (&table)[N]) {
    visitor_.choice(key, field, table);
  }
  void boolean(std::string_view key, bool& field) { visitor_.boolean(key, field); }
  void fixed(std::string_view key, std::string_view value) {
    bool is_said = true;
    const Named<bool> table[] = {{value, true}};
    visitor_.choice(key, is_said, table);
  }
  template <class T>
  void implied(std::string_view key, T&, std::vector<std::string_view> words,
               std::string_view expected) {
    visitor_.stated(key, std::move(words), expected);
  }
  template <class T>
  void unused(std::string_view key, T&, std::vector<std::string_view> words,
              std::string_view expected) {
    visitor_.stated(key, std::move(words), expected);
  }
  void stated(std::string_view key, std::vector<std::string_view> words,
              std::string_view expected) {
    visitor_.stated(key, std::move(words), expected);
  }
  void check(bool ok, const std::string& expected, const std::string& got) {
    visitor_.check(ok, expected, got);
  }

 private:
  RecipeVisitor& visitor_;
};

void visit_args(RecipeVisitor& visitor, quant::ArgsRole role, quant::QuantArgs& args) {
  RecipeArgs shown(visitor);
  quant::visit(role, shown, args);
}

/// The format that an export stores a group's weights in, in compressed-tensors' words.
std::string_view format_of(const quant::ConfigGroup& group) {
  return name_in(quant::kStoredFormats, quant::is_packed(group.weights, group.input_activations));
}

void visit_format(RecipeVisitor& visitor, std::string_view format) {
  visitor.stated("format", {format},
                 fmt::format("null or {}, as an export stores these weights", format));
}

void visit_group(RecipeVisitor& visitor, quant::ConfigGroup& group) {
  visitor.texts("targets", group.targets, data::target_mistake);
  visitor.not_null("weights",
                   "keys with values, since a group quantizes weights (attention_scheme "
                   "is for the operands of attentions)");
  visitor.section("weights",
                  [&] { visit_args(visitor, quant::ArgsRole::kWeights, group.weights); });
  visitor.section_or_null<quant::QuantArgs>(
      "input_activations", group.input_activations,
      [&](quant::QuantArgs& inputs) { visit_args(visitor, quant::ArgsRole::kInputs, inputs); });
  visitor.stated("output_activations", {}, "null, since outputs are not quantized");
  visit_format(visitor, format_of(group));
  visitor.check(!group.targets.empty(), "at least one target", "none");
}

void visit_groups(RecipeVisitor& visitor, std::vector<quant::ConfigGroup>& groups) {
  if (const auto names = visitor.given_keys()) {
    groups.clear();
    for (const std::string& name : *names) groups.push_back({.name = name});
  }
  for (quant::ConfigGroup& group : groups) {
    visitor.section(group.name, [&] { visit_group(visitor, group); });
  }
  visitor.check(!groups.empty(), "at least one group", "none");
}

/// Visits the other keys of a compressed-tensors quantization_config.
void visit_quantization_config(RecipeVisitor& visitor,
                               const std::vector<quant::ConfigGroup>& groups) {
  std::set<std::string_view> formats;
  for (const quant::ConfigGroup& group : groups) formats.insert(format_of(group));
  visit_format(visitor, formats.size() == 1 ? *formats.begin() : "mixed-precision");
  visitor.stated("quant_method", {"compressed-tensors"}, "compressed-tensors");
  visitor.stated("sparsity_config", {"{}"}, "null, since no weights are pruned");
  visitor.stated("moe_sparsity_config", {"{}"}, "null, since no experts are pruned");
  visitor.stated("transform_config", {"{}"}, "null, since nothing is rotated");
  for (const char* key : {"quantization_status", "global_compression_ratio", "version"})
    visitor.without_effect(key);  // tells about the files it was copied from
}

void visit_smoothing(RecipeVisitor& visitor, quant::SmoothingOptions& smoothing) {
  visitor.boolean("search", smoothing.search);
  if (smoothing.search) {
    visitor.stated("strength", {}, "nothing, since search: true finds it");
  } else {
    visitor.number("strength", smoothing.strength, kShare);
  }
}

void visit_quantize(RecipeVisitor& visitor, quant::QuantizeOptions& quantize) {
  visitor.section("config_groups", [&] { visit_groups(visitor, quantize.config_groups); });
  visit_quantization_config(visitor, quantize.config_groups);
  visitor.texts("ignore", quantize.ignore, data::target_mistake);
  const auto heads = [&](quant::QuantArgs& args) {
    args.strategy = quant::Strategy::kHead;
    visit_args(visitor, quant::ArgsRole::kOperands, args);
  };
  visitor.section_or_null<quant::QuantArgs>("kv_cache_scheme", quantize.kv_cache_scheme, heads);
  visitor.section_or_null<quant::QuantArgs>("attention_scheme", quantize.attention_scheme, heads);
  visitor.choice("modality_scales", quantize.modality_scales, quant::kModalityScales);
  visitor.section("calibration", [&] {
    visitor.integer("num_samples", quantize.calibration.num_samples, kCount);
    visitor.boolean("text_only", quantize.calibration.text_only);
  });
  visitor.check(
      !quantize.calibration.text_only || quantize.modality_scales == quant::ModalityScales::kShared,
      "modality_scales: shared with calibration.text_only: true", "separate");
  visitor.section_or_null<quant::SmoothingOptions>(
      "smoothing", quantize.smoothing,
      [&](quant::SmoothingOptions& smoothing) { visit_smoothing(visitor, smoothing); });
}

/// null quantizes nothing.
void visit_quantize_or_nothing(RecipeVisitor& visitor, quant::QuantizeOptions& quantize) {
  auto something = quantize.is_nothing() ? std::nullopt : std::optional(quantize);
  visitor.section_or_null<quant::QuantizeOptions>(
      "quantize", something,
      [&](quant::QuantizeOptions& options) { visit_quantize(visitor, options); });
  quantize = something.value_or(quant::QuantizeOptions::nothing());
}

void visit_correction(RecipeVisitor& visitor, modules::CorrectionOptions& correction) {
  visitor.integer("reduction", correction.reduction, kCount);
  visitor.choice("input", correction.input, modules::kCorrectionInputs);
  visitor.choice("beta", correction.beta, modules::kCorrectionBetas);
  visitor.texts("ignore", correction.ignore, data::target_mistake);
}

void visit_modality_weights(RecipeVisitor& visitor, ModalityWeights& weights) {
  visitor.number("text", weights.text, kWeight);
  visitor.number("image", weights.image, kWeight);
  visitor.number("audio", weights.audio, kWeight);
  visitor.check(weights.text + weights.image + weights.audio > 0, "one weight above 0",
                "0 for each");
}

void visit_tower_weights(RecipeVisitor& visitor, TowerWeights& weights) {
  visitor.number("image", weights.image, kWeight);
  visitor.number("audio", weights.audio, kWeight);
}

void visit_loss(RecipeVisitor& visitor, LossOptions& loss) {
  visitor.number("kl", loss.kl, kWeight);
  visitor.number("ce", loss.ce, kWeight);
  visitor.number("hidden", loss.hidden, kWeight);
  visitor.choice("distance", loss.distance, quant::kDistances);
  visitor.section("modality", [&] { visit_modality_weights(visitor, loss.modality); });
  visitor.section("towers", [&] { visit_tower_weights(visitor, loss.towers); });
  visitor.number("ctc", loss.ctc, kWeight);
  visitor.number("alignment", loss.alignment, kWeight);
  visitor.number("distillation", loss.distillation, kWeight);
  const double others = loss.kl + loss.ce + loss.hidden;
  visitor.check(others + loss.task() > 0, "kl, ce, hidden, ctc, alignment or distillation above 0",
                "0 for each");
  visitor.check((others > 0) + (loss.ctc > 0) + (loss.alignment > 0) + (loss.distillation > 0) <= 1,
                "kl, ce and hidden of 0 beside ctc, alignment or distillation, each of which "
                "trains alone, without the decoder",
                "another above 0");
}

void visit_learning_rate(RecipeVisitor& visitor, TrainableOptions& rates) {
  visitor.number("corrections", rates.corrections, kShare);
  visitor.number("activation_scales", rates.activation_scales, kShare);
  visitor.number("norm_weights", rates.norm_weights, kShare);
  visitor.number("weights", rates.weights, kShare);
  visitor.check(
      rates.corrections + rates.activation_scales + rates.norm_weights + rates.weights > 0,
      "one of its rates above 0", "0 for each");
}

void visit_feature_cache(RecipeVisitor& visitor, FeatureCacheOptions& cache) {
  visitor.path("path", cache.path, Presence::kOptional);
  visitor.number("max_gib", cache.max_gib, kWeight);
}

void visit_train(RecipeVisitor& visitor, TrainOptions& train) {
  visitor.path("output_dir", train.output_dir, Presence::kRequired);
  visitor.integer("max_steps", train.max_steps, kCount);
  visitor.choice("strategy", train.strategy, kStrategies);
  visitor.integer("block_size", train.block_size, kCount);
  visitor.integer("per_device_train_batch_size", train.per_device_train_batch_size, kCount);
  visitor.integer("gradient_accumulation_steps", train.gradient_accumulation_steps, kCount);
  visitor.boolean("gradient_checkpointing", train.gradient_checkpointing);
  visitor.choice("input_gradients", train.input_gradients, quant::kInputGradients);
  visitor.section("learning_rate", [&] { visit_learning_rate(visitor, train.learning_rate); });
  visitor.texts("modules", train.modules, data::target_mistake);
  visitor.path("teacher", train.teacher, Presence::kOptional);
  visitor.section("feature_cache", [&] { visit_feature_cache(visitor, train.feature_cache); });
  visitor.choice("lr_scheduler_type", train.lr_scheduler_type, kSchedules);
  visitor.number("warmup_ratio", train.warmup_ratio, kShare);
  visitor.number("weight_decay", train.weight_decay, kShare);
  visitor.number("max_grad_norm", train.max_grad_norm, kPositive);
  visitor.boolean("shard_optimizer", train.shard_optimizer);
  visitor.integer("save_steps", train.save_steps, kCount);
  visitor.integer("save_total_limit", train.save_total_limit, kCount);
  visitor.integer("logging_steps", train.logging_steps, kCount);
  visitor.choice("report_to", train.report_to, kReportTo);
  visitor.boolean("drop_corrections", train.drop_corrections);
  visitor.boolean("control", train.control);
}

bool is_set_name(std::string_view name) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789_";
  return !name.empty() && name.find_first_not_of(kLetters) == name.npos && name != kInDomain &&
         name != kOutOfDomain;
}

void visit_sets(RecipeVisitor& visitor, std::vector<EvaluateSet>& sets) {
  if (const auto names = visitor.given_keys()) {
    sets.clear();
    for (const std::string& name : *names) sets.push_back({.name = name, .path = {}});
  }
  for (EvaluateSet& set : sets) {
    visitor.path(set.name, set.path, Presence::kRequired);
    visitor.check(is_set_name(set.name),
                  "names of a-z, 0-9 and _, but not in_domain and out_of_domain",
                  printable(set.name));
  }
}

void visit_evaluate(RecipeVisitor& visitor, EvaluateOptions& evaluate) {
  visitor.integer("num_tokens", evaluate.num_tokens, kCount);
  visitor.integer("batch_size", evaluate.batch_size, kCount);
  visitor.integer("bootstrap_samples", evaluate.bootstrap_samples, kCount);
  visitor.section("sets", [&] { visit_sets(visitor, evaluate.sets); });
  visitor.integer("num_answers", evaluate.num_answers, {.low = 0, .high = kCount.high});
  visitor.integer("max_answer_tokens", evaluate.max_answer_tokens, kCount);
}

void visit_export(RecipeVisitor& visitor, ExportOptions& export_) {
  visitor.path("output_dir", export_.output_dir, Presence::kOptional);
  visitor.choice("format", export_.format, quant::kExportFormats);
}

constexpr std::string_view kAuto = "auto";

/// The device that a word names: nothing for "auto", and for a word that names none.
std::optional<at::Device> device_named(std::string_view word) {
  constexpr std::string_view kCuda = "cuda", kNumbered = "cuda:";
  if (word == "cpu") return at::kCPU;
  if (word == kCuda) return at::kCUDA;
  if (!word.starts_with(kNumbered)) return std::nullopt;
  at::DeviceIndex index = 0;
  const char* const end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data() + kNumbered.size(), end, index);
  if (error != std::errc() || stop != end || index < 0) return std::nullopt;
  return at::Device(at::kCUDA, index);
}

void visit_device(RecipeVisitor& visitor, std::optional<at::Device>& device) {
  const auto mistake = [](const std::string& word) -> std::optional<std::string> {
    if (word == kAuto || device_named(word)) return std::nullopt;
    return fmt::format("expected auto, cpu, cuda or cuda:N, got {}", printable(word));
  };
  std::string word = device ? device->str() : std::string(kAuto);
  visitor.text("device", word, mistake);
  device = device_named(word);
}

void visit_memory_limit(RecipeVisitor& visitor, std::int64_t& limit) {
  const auto mistake = [](const std::string& text) -> std::optional<std::string> {
    if (text == kAuto || byte_size(text)) return std::nullopt;
    return fmt::format("expected auto, or bytes as in 8GB, 7.5 GiB or 8000000000, got {}",
                       printable(text));
  };
  std::string text = limit > 0 ? std::to_string(limit) : std::string(kAuto);
  visitor.text("memory_limit", text, mistake);
  limit = byte_size(text).value_or(0);
}

void visit_recipe(RecipeVisitor& visitor, Recipe& recipe) {
  visitor.section("model", [&] { visit_model(visitor, recipe.model); });
  visitor.section("data", [&] { visit_data(visitor, recipe.data); });
  visit_quantize_or_nothing(visitor, recipe.quantize);
  visitor.section("correction", [&] { visit_correction(visitor, recipe.correction); });
  visitor.section("loss", [&] { visit_loss(visitor, recipe.loss); });
  visitor.section("train", [&] { visit_train(visitor, recipe.train); });
  visitor.section("evaluate", [&] { visit_evaluate(visitor, recipe.evaluate); });
  visitor.section("export", [&] { visit_export(visitor, recipe.export_); });
  visit_device(visitor, recipe.device);
  visitor.choice("compute", recipe.compute, quant::kComputes);
  visit_memory_limit(visitor, recipe.memory_limit);
  visitor.integer("num_threads", recipe.num_threads, {0, 1024});
  auto seed = static_cast<std::int64_t>(recipe.seed);
  visitor.integer("seed", seed, {.low = 0});
  recipe.seed = static_cast<std::uint64_t>(seed);
}

/// Whether a recipe leaves everything in float: it says `quantize: null`, or names modules to train
/// and does not speak of quantizing.
bool trains_float(const RecipeNode& root) {
  if (const RecipeNode* quantize = root.find("quantize"))
    return quantize->kind == RecipeNode::Kind::kNull;
  const RecipeNode* train = root.find("train");
  return train != nullptr && train->find("modules") != nullptr;
}

/// The float model is trained in all its weights, by cross-entropy unless the recipe names a task.
void set_float_defaults(const RecipeNode& root, Recipe& recipe) {
  const RecipeNode* loss = root.find("loss");
  const auto names_task = [&](const char* task) { return loss->find(task) != nullptr; };
  const bool has_task = loss != nullptr && (names_task("ctc") || names_task("alignment") ||
                                            names_task("distillation"));
  recipe.quantize = quant::QuantizeOptions::nothing();
  recipe.loss = {.kl = 0.0, .ce = has_task ? 0.0 : 1.0, .hidden = 0.0};
  recipe.train.learning_rate = {.corrections = 0.0, .norm_weights = 1e-4, .weights = 1e-4};
  recipe.train.control = false;
}

std::string read_recipe_text(const std::filesystem::path& path) {
  try {
    return read_file(std::filesystem::absolute(path), kMaxBytes);
  } catch (const Error& error) {
    throw UsageError("{}", error.what());
  }
}

}  // namespace

Recipe load_recipe(const std::filesystem::path& path, const std::vector<std::string>& overrides) {
  RecipeErrors errors(path.string());
  std::optional<RecipeNode> root = parse_recipe(read_recipe_text(path), errors);
  for (const std::string& override : overrides) {
    if (root) apply_override(*root, override, errors);
  }
  Recipe recipe;
  if (root) {
    if (trains_float(*root)) set_float_defaults(*root, recipe);
    RecipeReader reader(*root, errors);
    reader.read([&] { visit_recipe(reader, recipe); });
  }
  errors.throw_if_any();
  recipe.places = RecipePlaces(path.string(), *root);
  return recipe;
}

std::optional<at::Device> load_device(const std::vector<std::string>& overrides) {
  RecipeErrors errors("--set");
  std::optional<RecipeNode> root = parse_recipe("{}", errors);
  for (const std::string& override : overrides) apply_override(*root, override, errors);
  std::optional<at::Device> device;
  RecipeReader reader(*root, errors);
  reader.read([&] { visit_device(reader, device); });
  errors.throw_if_any();
  return device;
}

void refuse(const Recipe& recipe, const std::vector<RecipeMistake>& mistakes) {
  if (recipe.places.empty()) throw RecipeMistakes(mistakes);
  RecipeErrors errors = recipe.places.errors();
  for (const auto& [key, message] : mistakes) errors.add(recipe.places.at(key), key, message);
  errors.throw_if_any();
  throw std::logic_error("there is no mistake to refuse");
}

std::string to_yaml(const Recipe& recipe) {
  RecipeWriter writer;
  // A copy, since visitors may change what they are shown (this one does not).
  Recipe shown = recipe;
  visit_recipe(writer, shown);
  return writer.yaml();
}

}  // namespace dualpath::trainer
