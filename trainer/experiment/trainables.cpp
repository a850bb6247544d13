#include "trainer/experiment/trainables.h"

#include <torch/utils.h>

#include "quant/transform/transform.h"

namespace dualpath::trainer {
namespace {

modules::NamedTensors prefixed(const char* prefix, const modules::NamedTensors& tensors) {
  modules::NamedTensors result;
  for (const auto& [name, tensor] : tensors) result[prefix + name] = tensor;
  return result;
}

std::set<std::string> norm_weights(const modules::WeightedNetwork& model) {
  std::set<std::string> names;
  for (const modules::NormRef& norm : model.structure.norms) {
    names.insert(norm.weight_name());
    if (norm.kind != modules::NormKind::kRms) names.insert(norm.bias_name());
  }
  return names;
}

/// The names of linears with their biases, and of tables; a tied one once.
std::set<std::string> other_weights(const modules::WeightedNetwork& model) {
  std::set<std::string> names;
  for (const modules::LinearUse& use : model.structure.linears) {
    for (const modules::LinearRef& ref : use.refs) {
      names.insert(model.weights->canonical(ref.weight_name()));
      if (ref.bias) names.insert(ref.bias_name());
    }
  }
  for (const modules::EmbeddingRef& table : model.structure.embeddings)
    names.insert(model.weights->canonical(table.weight_name()));
  return names;
}

/// Puts float32 copies of these weights on the device over the store, and makes them a group.
void train_weights(const std::set<std::string>& names, double rate, double weight_decay,
                   at::Device device, Trainables& t) {
  ParameterGroup group{{}, rate, weight_decay};
  for (const std::string& name : names) {
    const torch::Tensor copy = t.weights->get(name).to(device, torch::kFloat).clone();
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
  if (recipe.train.learning_rate.norm_weights > 0.0) names.merge(norm_weights(model));
  if (recipe.train.learning_rate.weights > 0.0) names.merge(other_weights(model));
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
  if (rate.norm_weights > 0.0)
    train_weights(norm_weights(model), rate.norm_weights, decay, device, t);
  if (rate.weights > 0.0) train_weights(other_weights(model), rate.weights, decay, device, t);
  return t;
}

Trainables control_trainables(const Recipe& recipe, const modules::WeightedNetwork& model,
                              const quant::Plan& plan) {
  return with_corrections(recipe, plan, model.weights);
}

modules::GradientCheckpointing checkpointing_of(const std::vector<ParameterGroup>& groups,
                                                bool on) {
  if (!on) return {};
  std::multimap<std::string, torch::Tensor> trained;
  for (const ParameterGroup& group : groups) {
    for (const auto& [name, tensor] : group.parameters)
      trained.emplace(name.substr(name.find('.') + 1), tensor);
  }
  return modules::GradientCheckpointing(std::move(trained));
}

}  // namespace dualpath::trainer
