#include "trainer/optimizer.h"

#include <torch/nn/utils/clip_grad.h>
#include <torch/torch.h>

#include <cmath>
#include <numbers>

#include "data/base/error.h"

namespace dualpath::trainer {
namespace {

using modules::NamedTensors;
using torch::optim::AdamWOptions;
using torch::optim::AdamWParamState;

std::vector<torch::Tensor> tensors_of(const NamedTensors& named) {
  std::vector<torch::Tensor> tensors;
  for (const auto& [name, tensor] : named) tensors.push_back(tensor);
  return tensors;
}

std::vector<torch::optim::OptimizerParamGroup> torch_groups(
    const std::vector<ParameterGroup>& groups) {
  std::vector<torch::optim::OptimizerParamGroup> result;
  for (const ParameterGroup& group : groups) {
    auto options = std::make_unique<AdamWOptions>(group.learning_rate);
    options->weight_decay(group.weight_decay);
    result.emplace_back(tensors_of(group.parameters), std::move(options));
  }
  return result;
}

const torch::Tensor& saved(const NamedTensors& tensors, const std::string& name,
                           const torch::Tensor& like, const std::string& where) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw Error("{}: {} is missing", where, name);
  if (found->second.sizes() != like.sizes()) throw Error("{}: {}: wrong shape", where, name);
  return found->second;
}

}  // namespace

double schedule_factor(Schedule type, double warmup_ratio, std::int64_t step,
                       std::int64_t max_steps) {
  const double warmup = std::ceil(warmup_ratio * static_cast<double>(max_steps));
  const double done = static_cast<double>(step);
  if (done < warmup) return (done + 1.0) / warmup;
  const double progress = (done - warmup) / std::max(1.0, static_cast<double>(max_steps) - warmup);
  switch (type) {
    case Schedule::kCosine:
      return 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
    case Schedule::kLinear:
      return 1.0 - progress;
    case Schedule::kConstant:
      return 1.0;
  }
  return 1.0;
}

Optimizer::Optimizer(std::vector<ParameterGroup> groups, const TrainOptions& options)
    : options_(options), groups_(std::move(groups)), adamw_(torch_groups(groups_), AdamWOptions()) {
  for (const ParameterGroup& group : groups_) {
    parameters_.insert(group.parameters.begin(), group.parameters.end());
  }
}

double Optimizer::step(std::int64_t step) {
  const double factor =
      schedule_factor(options_.lr_scheduler_type, options_.warmup_ratio, step, options_.max_steps);
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    adamw_.param_groups()[i].options().set_lr(groups_[i].learning_rate * factor);
  }
  const double norm =
      torch::nn::utils::clip_grad_norm_(tensors_of(parameters_), options_.max_grad_norm);
  adamw_.step();
  for (auto& [name, parameter] : parameters_) parameter.mutable_grad() = torch::Tensor();
  return norm;
}

double Optimizer::learning_rate(std::int64_t step) const {
  return groups_.front().learning_rate * schedule_factor(options_.lr_scheduler_type,
                                                         options_.warmup_ratio, step,
                                                         options_.max_steps);
}

NamedTensors Optimizer::state() const {
  NamedTensors state;
  for (const auto& [name, parameter] : parameters_) {
    const auto found = adamw_.state().find(parameter.unsafeGetTensorImpl());
    if (found == adamw_.state().end()) continue;  // no step yet
    const auto& moments = static_cast<const AdamWParamState&>(*found->second);
    state[name + ".exp_avg"] = moments.exp_avg();
    state[name + ".exp_avg_sq"] = moments.exp_avg_sq();
    state[name + ".step"] = torch::full({1}, moments.step(), torch::kLong);
  }
  return state;
}

void Optimizer::load(const NamedTensors& parameters, const NamedTensors& state,
                     const std::string& where) {
  const torch::NoGradGuard no_grad;
  for (auto& [name, parameter] : parameters_) {
    parameter.copy_(saved(parameters, name, parameter, where));
    auto moments = std::make_unique<AdamWParamState>();
    moments->exp_avg(saved(state, name + ".exp_avg", parameter, where).clone());
    moments->exp_avg_sq(saved(state, name + ".exp_avg_sq", parameter, where).clone());
    moments->step(saved(state, name + ".step", torch::empty({1}), where).item<std::int64_t>());
    adamw_.state()[parameter.unsafeGetTensorImpl()] = std::move(moments);
  }
}

}  // namespace dualpath::trainer
