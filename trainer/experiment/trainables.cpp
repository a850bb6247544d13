#include "trainer/experiment/trainables.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>

#include "data/patterns/target.h"
#include "modules/model/encoder_network.h"
#include "modules/weights/to_device.h"
#include "quant/transform/transform.h"

namespace dualpath::trainer {
namespace {

modules::NamedTensors prefixed(const char* prefix, const modules::NamedTensors& tensors) {
  modules::NamedTensors result;
  for (const auto& [name, tensor] : tensors) result[prefix + name] = tensor;
  return result;
}

/// Whether one of the targets names the module or one that holds it.
bool is_trained(const std::vector<std::string>& targets, const std::string& module) {
  if (targets.empty()) return true;
  for (std::size_t end = 0; end != std::string::npos;) {
    end = module.find('.', end + 1);
    if (data::matches_any(targets, module.substr(0, end))) return true;
  }
  return false;
}

std::set<std::string> norm_weights(const modules::WeightedNetwork& model,
                                   const std::vector<std::string>& targets) {
  std::set<std::string> names;
  for (const modules::NormRef& norm : model.structure.norms) {
    if (!is_trained(targets, norm.name)) continue;
    names.insert(norm.weight_name());
    if (norm.kind != modules::NormKind::kRms) names.insert(norm.bias_name());
  }
  return names;
}

/// The names of the weights and biases of linears and convolutions, of tables, and of tensors of
/// their own; a tied one once.
std::set<std::string> other_weights(const modules::WeightedNetwork& model,
                                    const std::vector<std::string>& targets) {
  std::set<std::string> names;
  const auto add = [&](const auto& ref) {
    if (!is_trained(targets, ref.name)) return;
    names.insert(model.weights->canonical(ref.weight_name()));
    if (ref.bias) names.insert(ref.bias_name());
  };
  for (const modules::LinearUse& use : model.structure.linears)
    std::ranges::for_each(use.refs, add);
  for (const modules::ConvUse& use : model.structure.convs) add(use.ref);
  for (const modules::EmbeddingRef& table : model.structure.embeddings) {
    if (is_trained(targets, table.name))
      names.insert(model.weights->canonical(table.weight_name()));
  }
  for (const modules::ParameterRef& tensor : model.structure.parameters) {
    if (is_trained(targets, tensor.name)) names.insert(tensor.name);
  }
  return names;
}

/// The modules that `train.modules` can name.
std::vector<std::string> trainable_modules(const modules::Structure& structure) {
  std::vector<std::string> names;
  for (const modules::LinearUse& use : structure.linears) {
    for (const modules::LinearRef& ref : use.refs) names.push_back(ref.name);
  }
  for (const modules::ConvUse& use : structure.convs) names.push_back(use.ref.name);
  for (const modules::NormRef& norm : structure.norms) names.push_back(norm.name);
  for (const modules::EmbeddingRef& table : structure.embeddings) names.push_back(table.name);
  for (const modules::ParameterRef& tensor : structure.parameters) names.push_back(tensor.name);
  return names;
}

/// Puts float32 copies of these weights on the device over the store, and makes them a group.
void train_weights(const std::set<std::string>& names, double rate, double weight_decay,
                   at::Device device, Trainables& t) {
  ParameterGroup group{{}, rate, weight_decay};
  for (const std::string& name : names) {
    const torch::Tensor copy =
        modules::to_device(t.weights->get(name), device).to(torch::kFloat).clone();
    t.weights->set(name, copy.contiguous().requires_grad_());
    group.parameters["weight." + name] = t.weights->get(name);
  }
  t.groups.push_back(std::move(group));
}

Trainables with_corrections(const Recipe& recipe, const quant::Plan& plan,
                            std::shared_ptr<const modules::WeightStore> weights) {
  Trainables t;
  t.weights = std::make_shared<modules::WeightOverlay>(std::move(weights));
  const double rate = recipe.train.learning_rate.corrections;
  if (rate == 0.0) return t;
  t.corrections =
      modules::Corrections(plan.stages, recipe.correction, recipe.seed, recipe.model.device);
  const modules::NamedTensors parameters = t.corrections.parameters();
  if (!parameters.empty()) t.groups.push_back({prefixed("correction.", parameters), rate, 0.0});
  return t;
}

}  // namespace

std::set<std::string> trained_weights(const Recipe& recipe, const modules::WeightedNetwork& model) {
  std::set<std::string> names;
  const TrainOptions& train = recipe.train;
  if (train.learning_rate.norm_weights > 0.0) names.merge(norm_weights(model, train.modules));
  if (train.learning_rate.weights > 0.0) names.merge(other_weights(model, train.modules));
  return names;
}

Trainables quantized_trainables(const Recipe& recipe, const modules::WeightedNetwork& model,
                                const quant::Plan& plan, const quant::Calibration& calibration) {
  const TrainableOptions& rate = recipe.train.learning_rate;
  Trainables t = with_corrections(recipe, plan,
                                  quant::transformed(model.weights, plan, calibration.transforms));
  t.scales = calibration.scales(recipe.model.device);
  if (rate.activation_scales > 0.0) {
    t.scales.make_trainable();
    t.groups.push_back({prefixed("scale.", t.scales.parameters()), rate.activation_scales, 0.0});
  }
  const double decay = recipe.train.weight_decay;
  const at::Device device = recipe.model.device;
  const std::vector<std::string>& targets = recipe.train.modules;
  if (rate.norm_weights > 0.0)
    train_weights(norm_weights(model, targets), rate.norm_weights, decay, device, t);
  if (rate.weights > 0.0)
    train_weights(other_weights(model, targets), rate.weights, decay, device, t);
  if (recipe.loss.ctc > 0.0) {
    const modules::Tower& tower = *tower_of(model.config, modules::Modality::kAudio);
    t.ctc_head = make_ctc_head(modules::encoder_width(tower), recipe.seed, device);
    t.groups.push_back({{{"ctc.weight", t.ctc_head->weight}, {"ctc.bias", t.ctc_head->bias}},
                        rate.weights,
                        decay});
  }
  return t;
}

Trainables control_trainables(const Recipe& recipe, const modules::WeightedNetwork& model,
                              const quant::Plan& plan) {
  return with_corrections(recipe, plan, model.weights);
}

std::vector<RecipeMistake> mistakes_in_modules(const std::vector<std::string>& targets,
                                               const modules::Structure& structure) {
  const std::vector<std::string> modules = trainable_modules(structure);
  std::vector<RecipeMistake> mistakes;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const auto hits = [&](const std::string& module) { return is_trained({targets[i]}, module); };
    if (std::ranges::none_of(modules, hits))
      mistakes.push_back(
          {fmt::format("train.modules[{}]", i), data::unmatched(targets[i], "module", modules)});
  }
  return mistakes;
}

std::string why_not_blockwise(const Recipe& recipe) {
  if (!recipe.quantizes()) return "since the recipe quantizes nothing";
  if (recipe.loss.hidden == 0.0) return "since loss.hidden, by which blocks are trained, is 0";
  return "";
}

const modules::Tower* tower_of(const modules::ModelConfig& config, modules::Modality modality) {
  for (const modules::Tower& tower : config.towers) {
    if (tower.placeholder.modality == modality) return &tower;
  }
  return nullptr;
}

std::vector<RecipeMistake> mistakes_in_task(const Recipe& recipe,
                                            const modules::WeightedNetwork& model) {
  const LossOptions& loss = recipe.loss;
  const bool is_ctc = loss.ctc > 0.0, is_distillation = loss.distillation > 0.0;
  if (recipe.train.teacher.empty() == is_distillation)
    return {{"train.teacher",
             is_distillation ? "expected the directory of a model, which loss.distillation needs"
                             : "expected none, since loss.distillation is 0"}};
  if (loss.task() == 0.0) return {};
  const std::string key = is_ctc            ? "loss.ctc"
                          : is_distillation ? "loss.distillation"
                                            : "loss.alignment";
  const auto at_loss = [&](const char* reason) {
    return RecipeMistake{key, fmt::format("expected 0, since {}, got {}", reason, loss.task())};
  };
  if (recipe.quantizes()) return {at_loss("it trains a tower in float and the recipe quantizes")};
  std::vector<std::string> modules;
  for (const modules::Tower& tower : model.config.towers) {
    if (is_ctc && tower.placeholder.modality != modules::Modality::kAudio) continue;
    modules.push_back(tower.name);
    if (!is_ctc && tower.alignment) modules.push_back(tower.alignment->name);
  }
  if (modules.empty())
    return {at_loss(is_ctc ? "the model has no audio tower" : "the model has no towers")};
  for (const std::string& name : trained_weights(recipe, model)) {
    if (std::ranges::none_of(modules, [&](const auto& m) { return name.starts_with(m + "."); }))
      return {{"train.modules",
               fmt::format("expected modules of {} alone, since {} trains no other, got {}",
                           fmt::join(modules, ", "), key, name)}};
  }
  return {};
}

}  // namespace dualpath::trainer
