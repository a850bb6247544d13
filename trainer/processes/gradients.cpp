#include "trainer/processes/gradients.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>
#include <sstream>
#include <utility>

#include "modules/ops/memory_order.h"

namespace dualpath::trainer {
namespace {

using at::Tensor;
using torch::autograd::variable_list;

constexpr std::int64_t kInPlaceElements = 1 << 18;  // 1 MB: copies would cost more than messages
constexpr std::int64_t kBucketElements = 25'000'000 / 4;  // DistributedDataParallel's 25 MB

constexpr const char* kWhat = "gradients";

/// Runs when a backward pass has added to a parameter's gradient.
struct Arrival : torch::autograd::FunctionPostHook {
  explicit Arrival(std::function<void()> its_call) : call(std::move(its_call)) {}
  variable_list operator()(const variable_list& outputs, const variable_list&) override {
    call();
    return outputs;
  }
  std::function<void()> call;
};

}  // namespace

GradientSums::GradientSums(Processes& processes, const modules::NamedTensors& parameters,
                           SummedAt at)
    : processes_(processes) {
  if (processes.size() == 1) return;
  for (const auto& [name, tensor] : parameters) parameters_.push_back({name, tensor, {}});
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    Parameter& parameter = parameters_[i];
    parameter.accumulator = torch::autograd::impl::grad_accumulator(parameter.tensor);
    parameter.hook =
        parameter.accumulator->add_post_hook(std::make_unique<Arrival>([this, i] { come(i); }));
  }
  if (at == SummedAt::kOwner) divide();
  std::vector<std::size_t> by_name(parameters_.size());
  std::iota(by_name.begin(), by_name.end(), std::size_t{0});
  add_buckets(by_name);
  has_gradient_ = at::zeros({static_cast<std::int64_t>(parameters_.size())}, at::kInt);
}

GradientSums::~GradientSums() {
  processes_.forget_started();
  for (const Parameter& parameter : parameters_)
    parameter.accumulator->del_post_hook(parameter.hook);
}

void GradientSums::divide() {
  std::int64_t all = 0, before = 0;
  for (const Parameter& parameter : parameters_) all += parameter.tensor.numel();
  for (const auto& [name, tensor, accumulator, hook, bucket, has_come] : parameters_) {
    const std::int64_t middle = before + tensor.numel() / 2;
    owners_[name] = static_cast<int>(middle * processes_.size() / std::max<std::int64_t>(1, all));
    before += tensor.numel();
  }
}

/// A bucket's place is that of its last parameter in `order`.
void GradientSums::add_buckets(const std::vector<std::size_t>& order) {
  struct Open {
    std::vector<std::size_t> parameters = {};
    std::int64_t elements = 0;
  };
  std::map<int, Open> open;  // by owner
  const auto close = [&](int owner, std::vector<std::size_t> parameters) {
    for (const std::size_t i : parameters) parameters_[i].bucket = buckets_.size();
    buckets_.push_back({.owner = owner, .parameters = std::move(parameters)});
  };
  for (const std::size_t i : order) {
    const int owner = is_divided() ? owners_.at(parameters_[i].name) : 0;
    const std::int64_t elements = parameters_[i].tensor.numel();
    if (elements >= kInPlaceElements) {
      close(owner, {i});
      continue;
    }
    Open& bucket = open[owner];
    bucket.parameters.push_back(i);
    bucket.elements += elements;
    if (bucket.elements >= kBucketElements) close(owner, std::exchange(bucket, {}).parameters);
  }
  for (auto& [owner, bucket] : open) {
    if (!bucket.parameters.empty()) close(owner, std::move(bucket.parameters));
  }
}

void GradientSums::follow_backward() {
  follows_ = true;
  next_ = 0;
  arrivals_.clear();
  for (Parameter& parameter : parameters_) parameter.has_come = false;
  for (Bucket& bucket : buckets_) bucket.missing = bucket.parameters.size();
}

/// Sends each bucket that is whole, if all before it are sent: the order is the same everywhere.
void GradientSums::come(std::size_t index) {
  if (!follows_ || std::exchange(parameters_[index].has_come, true)) return;
  arrivals_.push_back(index);
  --buckets_[parameters_[index].bucket].missing;
  while (next_ < expected_ && buckets_[next_].missing == 0) send(buckets_[next_++]);
}

void GradientSums::send(Bucket& bucket) {
  const at::NoGradGuard no_grad;
  std::vector<Tensor> flat;
  for (const std::size_t i : bucket.parameters) {
    const Tensor& parameter = parameters_[i].tensor;
    Tensor& gradient = parameter.mutable_grad();
    gradient = gradient.defined() ? modules::laid_out_as(parameter, gradient.detach())
                                  : at::zeros_like(parameter);
    flat.push_back(modules::flat_view(gradient));
  }
  bucket.sent = flat.size() == 1 ? flat.front() : at::cat(flat);
  processes_.start_sum(kWhat, bucket.sent,
                       is_divided() ? std::optional(bucket.owner) : std::nullopt);
}

void GradientSums::send_rest() {
  follows_ = false;
  if (parameters_.empty()) return;
  auto* has = has_gradient_.mutable_data_ptr<std::int32_t>();
  for (const Parameter& parameter : parameters_) *has++ = parameter.tensor.grad().defined();
  for (; next_ < expected_; ++next_) send(buckets_[next_]);
  processes_.start_sum(kWhat, has_gradient_);
}

void GradientSums::finish() {
  if (parameters_.empty()) return;
  processes_.finish(kWhat);
  for (; next_ < buckets_.size(); ++next_) {
    Bucket& bucket = buckets_[next_];
    if (std::ranges::any_of(bucket.parameters, [&](std::size_t i) { return has_gradient(i); }))
      send(bucket);
  }
  processes_.finish(kWhat);
  next_ = 0;
  for (Bucket& bucket : buckets_) {
    take_out(bucket);
    bucket.sent = Tensor();
  }
  summed_.clear();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (has_gradient(i)) summed_.push_back(parameters_[i].name);
  }
  if (expected_ == 0) agree_on_order();
}

bool GradientSums::has_gradient(std::size_t index) const {
  return has_gradient_.const_data_ptr<std::int32_t>()[index] > 0;
}

/// Gives each parameter its sum, or none if it is another's or no process had one.
void GradientSums::take_out(const Bucket& bucket) {
  const at::NoGradGuard no_grad;
  const bool is_here = !is_divided() || bucket.owner == processes_.rank();
  std::int64_t begin = 0;
  for (const std::size_t i : bucket.parameters) {
    const Tensor& parameter = parameters_[i].tensor;
    if (!is_here || !has_gradient(i)) {
      parameter.mutable_grad() = Tensor();
    } else if (bucket.parameters.size() > 1) {
      modules::flat_view(parameter.grad()).copy_(bucket.sent.narrow(0, begin, parameter.numel()));
    }
    begin += parameter.numel();
  }
}

/// Expects from now on the gradients of this step, in the order in which the first process's came.
/// Gradients that no process had are in buckets of their own behind them.
void GradientSums::agree_on_order() {
  std::istringstream text(
      processes_.broadcast(kWhat, fmt::format("{}", fmt::join(arrivals_, " "))));
  std::vector<std::size_t> expected, others;
  for (std::size_t index = 0; text >> index;) expected.push_back(index);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (std::ranges::find(expected, i) == expected.end())
      (has_gradient(i) ? expected : others).push_back(i);
  }
  buckets_.clear();
  add_buckets(expected);
  expected_ = buckets_.size();
  add_buckets(others);
}

}  // namespace dualpath::trainer
