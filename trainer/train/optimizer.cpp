#include "trainer/train/optimizer.h"

#include <ATen/Parallel.h>
#include <torch/utils.h>

#include <cmath>
#include <numbers>

#include "data/base/error.h"
#include "modules/ops/memory_order.h"
#include "modules/ops/on_device.h"
#include "trainer/kernels/adamw.h"

namespace dualpath::trainer {
namespace {

using modules::laid_out_as;
using modules::NamedTensors;
using torch::Tensor;

constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEps = 1e-8;  // torch.optim.AdamW's defaults
constexpr std::int64_t kShareElements =
    1 << 16;  // elements of a parameter that a thread takes at a time

/// Some elements of one tensor.
struct Share {
  std::size_t tensor;
  std::int64_t begin, size;
};

/// Cuts all tensors' elements into shares. The cuts do not depend on the number of threads, and so
/// neither does a sum over them in their order.
std::vector<Share> shares_of(const std::vector<Tensor>& tensors) {
  std::vector<Share> shares;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    for (std::int64_t begin = 0; begin < tensors[i].numel(); begin += kShareElements)
      shares.push_back({i, begin, std::min(kShareElements, tensors[i].numel() - begin)});
  }
  return shares;
}

/// Calls visit(index of the share) from several threads.
template <class Visit>
void for_each_share(const std::vector<Share>& shares, const Visit& visit) {
  at::parallel_for(0, static_cast<std::int64_t>(shares.size()), 1,
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t i = begin; i < end; ++i) visit(static_cast<std::size_t>(i));
                   });
}

std::vector<double> squared_shares(const std::vector<Tensor>& gradients) {
  const std::vector<Share> shares = shares_of(gradients);
  std::vector<double> sums(shares.size());
  for_each_share(shares, [&](std::size_t i) {
    const auto& [tensor, begin, size] = shares[i];
    sums[i] = squared_norm_cpu(gradients[tensor].const_data_ptr<float>() + begin, size);
  });
  return sums;
}

double squared_norm(const std::vector<Tensor>& gradients) {
  double sum = 0.0;
  for (const double share : squared_shares(gradients)) sum += share;
  return sum;
}

/// The squared norms of a gradient's shares, float64; on CUDA one of all.
Tensor squared_by_share(const Tensor& gradient) {
  const auto on_cpu = [&] { return torch::tensor(squared_shares({gradient}), torch::kDouble); };
  const auto on_cuda = [&](void*) {
    return gradient.detach().to(torch::kDouble).square().sum().reshape({1});
  };
  return modules::on_device(gradient, on_cpu, on_cuda);
}

/// The number of shares that squared_by_share() returns of a tensor.
std::int64_t count_shares(const Tensor& tensor) {
  const auto on_cpu = [&] { return static_cast<std::int64_t>(shares_of({tensor}).size()); };
  return modules::on_device(tensor, on_cpu, [](void*) { return std::int64_t{1}; });
}

/// A parameter on its way through a step.
struct Update {
  AdamWStep step;
  Tensor gradient, parameter, exp_avg, exp_avg_sq;
};

AdamWStep adamw_step(double rate, double weight_decay, std::int64_t t, double gradient_scale) {
  const auto steps = static_cast<double>(t);
  return {.decay = static_cast<float>(1.0 - rate * weight_decay),
          .beta1 = static_cast<float>(kBeta1),
          .beta2 = static_cast<float>(kBeta2),
          .eps = static_cast<float>(kEps),
          .step_size = static_cast<float>(rate / (1.0 - std::pow(kBeta1, steps))),
          .root_correction2 = static_cast<float>(std::sqrt(1.0 - std::pow(kBeta2, steps))),
          .gradient_scale = static_cast<float>(gradient_scale)};
}

void run_on_cpu(const std::vector<Update>& updates) {
  std::vector<Tensor> parameters;
  for (const Update& update : updates) parameters.push_back(update.parameter);
  const std::vector<Share> shares = shares_of(parameters);
  for_each_share(shares, [&](std::size_t i) {
    const auto& [index, begin, size] = shares[i];
    const Update& of = updates[index];
    const auto from = [&](const Tensor& tensor) {
      return static_cast<float*>(tensor.data_ptr()) + begin;
    };
    adamw_cpu(of.step, size, from(of.gradient), from(of.parameter), from(of.exp_avg),
              from(of.exp_avg_sq));
  });
}

inline void run_on_cuda(const std::vector<Update>& updates, void* stream) {
  for (const Update& of : updates) {
    const auto data = [](const Tensor& tensor) { return static_cast<float*>(tensor.data_ptr()); };
    adamw_cuda(of.step, of.parameter.numel(), data(of.gradient), data(of.parameter),
               data(of.exp_avg), data(of.exp_avg_sq), stream);
  }
}

/// Runs the updates. All parameters lie on one device.
void run(const std::vector<Update>& updates) {
  if (updates.empty()) return;
  modules::on_device(
      updates.front().parameter, [&] { run_on_cpu(updates); },
      [&](void* stream) { run_on_cuda(updates, stream); });
  // Kernels write behind torch's back, but values made from a parameter look at its version.
  for (const Update& update : updates) update.parameter.unsafeGetTensorImpl()->bump_version();
}

const torch::Tensor& saved(const NamedTensors& tensors, const std::string& name,
                           const torch::Tensor& like, const std::string& where) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw Error("{}: {} is missing", where, name);
  if (found->second.sizes() != like.sizes()) throw Error("{}: {}: wrong shape", where, name);
  return found->second;
}

/// All groups' parameters.
NamedTensors checked(const std::vector<ParameterGroup>& groups) {
  NamedTensors parameters;
  for (const ParameterGroup& group : groups) {
    for (const auto& [name, parameter] : group.parameters) {
      TORCH_CHECK(
          parameter.scalar_type() == torch::kFloat && parameter.is_non_overlapping_and_dense(),
          name, " is trained: expected a dense float32 tensor");
    }
    parameters.insert(group.parameters.begin(), group.parameters.end());
  }
  return parameters;
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

Optimizer::Optimizer(std::vector<ParameterGroup> groups, const TrainOptions& options,
                     Processes& processes)
    : options_(options),
      groups_(std::move(groups)),
      parameters_(checked(groups_)),
      processes_(processes),
      gradients_(processes, parameters_,
                 options.shard_optimizer ? SummedAt::kOwner : SummedAt::kAll) {}

bool Optimizer::owns(const std::string& name) const {
  return !is_divided() || gradients_.owners().at(name) == processes_.rank();
}

double Optimizer::gradient_norm() const {
  const Tensor squared = squared_gradient_norm();
  return squared.defined() ? std::sqrt(squared.item<double>()) : 0.0;
}

double Optimizer::step(std::int64_t step) {
  const double norm = gradient_norm();
  this->step(step, norm);
  return norm;
}

void Optimizer::step(std::int64_t step, double norm) {
  const torch::NoGradGuard no_grad;
  const double factor =
      schedule_factor(options_.lr_scheduler_type, options_.warmup_ratio, step, options_.max_steps);
  // torch's clip_grad_norm_ scales so, too.
  const double scale = std::min(1.0, options_.max_grad_norm / (norm + 1e-6));
  std::vector<Update> updates;
  for (const ParameterGroup& group : groups_) {
    for (const auto& [name, parameter] : group.parameters) {
      if (!parameter.grad().defined()) continue;
      Moments& moments = moments_[name];
      if (moments.step++ == 0) {
        moments.exp_avg = torch::zeros_like(parameter);
        moments.exp_avg_sq = torch::zeros_like(parameter);
      }
      updates.push_back(
          {adamw_step(group.learning_rate * factor, group.weight_decay, moments.step, scale),
           laid_out_as(parameter, parameter.grad()), parameter, moments.exp_avg,
           moments.exp_avg_sq});
    }
  }
  run(updates);
  if (is_divided()) spread_parameters();
  for (auto& [name, parameter] : parameters_) parameter.mutable_grad() = Tensor();
}

/// Gives every process the parameters that their owners have stepped, in place.
void Optimizer::spread_parameters() {
  std::vector<Tensor> stepped;
  std::vector<int> roots;
  for (const std::string& name : gradients_.summed()) {
    stepped.push_back(modules::flat_view(parameters_.at(name).detach()));
    roots.push_back(gradients_.owners().at(name));
  }
  processes_.spread("parameters", stepped, roots);
  for (const std::string& name : gradients_.summed())
    parameters_.at(name).unsafeGetTensorImpl()->bump_version();
}

Tensor Optimizer::squared_gradient_norm() const {
  const torch::NoGradGuard no_grad;
  std::vector<Tensor> gradients;
  for (const auto& [name, parameter] : parameters_) {
    if (parameter.grad().defined()) gradients.push_back(laid_out_as(parameter, parameter.grad()));
  }
  if (is_divided()) return sum_of_owners(gradients);
  if (gradients.empty()) return {};
  const torch::TensorOptions doubles = gradients.front().options().dtype(torch::kDouble);
  const auto on_cuda = [&](void*) {
    Tensor sum = torch::zeros({}, doubles);
    for (const Tensor& gradient : gradients) sum += gradient.to(torch::kDouble).square().sum();
    return sum;
  };
  return modules::on_device(
      gradients.front(), [&] { return torch::full({}, squared_norm(gradients), doubles); },
      on_cuda);
}

double Optimizer::learning_rate(std::int64_t step) const {
  return groups_.front().learning_rate * schedule_factor(options_.lr_scheduler_type,
                                                         options_.warmup_ratio, step,
                                                         options_.max_steps);
}

/// The squared norm of gradients that lie at their owners. Shares of all are added in the order
/// in which one process adds them.
Tensor Optimizer::sum_of_owners(const std::vector<Tensor>& own) const {
  if (gradients_.summed().empty()) return {};
  std::vector<Tensor> own_shares, shares;
  for (const Tensor& gradient : own) own_shares.push_back(squared_by_share(gradient));
  Tensor rest = own.empty() ? Tensor() : torch::cat(own_shares).cpu();
  for (const std::string& name : gradients_.summed()) {
    const std::int64_t count = count_shares(parameters_.at(name));
    shares.push_back(owns(name) ? rest.narrow(0, 0, count) : torch::zeros({count}, torch::kDouble));
    if (owns(name)) rest = rest.narrow(0, count, rest.numel() - count);
  }
  const Tensor all = torch::cat(shares);
  processes_.sum("gradients", {all});
  double total = 0.0;
  for (std::int64_t i = 0; i < all.numel(); ++i) total += all.const_data_ptr<double>()[i];
  return torch::full({}, total, torch::kDouble);
}

/// Brings the owners' moments to the first process, a tensor at a time; the others keep nothing.
NamedTensors Optimizer::state() const {
  if (!is_divided()) return own_state();
  const torch::NoGradGuard no_grad;
  const Tensor steps = torch::zeros({static_cast<std::int64_t>(parameters_.size())}, torch::kLong);
  auto* step = steps.mutable_data_ptr<std::int64_t>();
  for (const auto& [name, parameter] : parameters_) {
    const auto own = moments_.find(name);
    *step++ = own == moments_.end() ? 0 : own->second.step;
  }
  processes_.sum("checkpoint", {steps});
  NamedTensors state;
  step = steps.mutable_data_ptr<std::int64_t>();
  for (const auto& [name, parameter] : parameters_) {
    if (*step++ == 0) continue;  // it never had a gradient
    const auto own = moments_.find(name);
    const bool is_own = own != moments_.end();
    for (const char* which : {".exp_avg", ".exp_avg_sq"}) {
      const Tensor mine = !is_own                                 ? Tensor()
                          : which == std::string_view(".exp_avg") ? own->second.exp_avg
                                                                  : own->second.exp_avg_sq;
      const Tensor sent =
          is_own ? mine.contiguous() : torch::empty(parameter.sizes(), parameter.options());
      processes_.spread("checkpoint", {sent}, {gradients_.owners().at(name)});
      if (processes_.is_first()) state[name + which] = sent.cpu();
    }
    if (processes_.is_first()) state[name + ".step"] = torch::full({1}, step[-1], torch::kLong);
  }
  return state;
}

NamedTensors Optimizer::own_state() const {
  NamedTensors state;
  for (const auto& [name, moments] : moments_) {
    state[name + ".exp_avg"] = moments.exp_avg;
    state[name + ".exp_avg_sq"] = moments.exp_avg_sq;
    state[name + ".step"] = torch::full({1}, moments.step, torch::kLong);
  }
  return state;
}

void Optimizer::load(const NamedTensors& parameters, const NamedTensors& state,
                     const std::string& where) {
  const torch::NoGradGuard no_grad;
  for (auto& [name, parameter] : parameters_) {
    parameter.copy_(saved(parameters, name, parameter, where));
    moments_.erase(name);
    if (!owns(name) || !state.contains(name + ".step")) continue;  // it never had a gradient
    const auto moment = [&](const char* which) {
      return torch::empty_like(parameter).copy_(saved(state, name + which, parameter, where));
    };
    moments_[name] = {moment(".exp_avg"), moment(".exp_avg_sq"),
                      saved(state, name + ".step", torch::empty({1}), where).item<std::int64_t>()};
  }
}

}  // namespace dualpath::trainer
