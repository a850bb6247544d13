#include "trainer/trainables.h"

#include <torch/torch.h>

#include "data/base/error.h"

namespace dualpath::trainer {
namespace {

modules::NamedTensors prefixed(const char* prefix, const modules::NamedTensors& tensors) {
  modules::NamedTensors result;
  for (const auto& [name, tensor] : tensors) result[prefix + name] = tensor;
  return result;
}

/// float32 copies of every norm weight, over the store.
void train_norm_weights(const modules::Model& model, modules::WeightOverlay& weights) {
  for (const modules::NormRef& norm : model.structure.norms) {
    const std::string name = norm.weight_name();
    weights.set(name, model.weights->get(name).to(torch::kFloat).clone().requires_grad_());
  }
}

Trainables with_corrections(const Recipe& recipe, const modules::Model& model,
                            const quant::Plan& plan) {
  Trainables t;
  t.weights = std::make_shared<modules::WeightOverlay>(model.weights);
  const double rate = recipe.train.learning_rate.corrections;
  if (rate == 0.0) return t;
  t.corrections =
      quant::Corrections(plan.stages, model.config.hidden_size, recipe.correction, recipe.seed);
  const modules::NamedTensors parameters = t.corrections.parameters();
  if (!parameters.empty()) t.groups.push_back({prefixed("correction.", parameters), rate, 0.0});
  return t;
}

}  // namespace

Trainables quantized_trainables(const Recipe& recipe, const modules::Model& model,
                                const quant::Plan& plan, quant::ActivationScales scales) {
  const TrainableOptions& rate = recipe.train.learning_rate;
  Trainables t = with_corrections(recipe, model, plan);
  t.scales = std::move(scales);
  if (rate.activation_scales > 0.0) {
    t.scales.make_trainable();
    t.groups.push_back({prefixed("scale.", t.scales.parameters()), rate.activation_scales, 0.0});
  }
  if (rate.norm_weights > 0.0) {
    train_norm_weights(model, *t.weights);
    t.groups.push_back(
        {prefixed("weight.", t.weights->trained()), rate.norm_weights, recipe.train.weight_decay});
  }
  return t;
}

Trainables control_trainables(const Recipe& recipe, const modules::Model& model,
                              const quant::Plan& plan) {
  return with_corrections(recipe, model, plan);
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
