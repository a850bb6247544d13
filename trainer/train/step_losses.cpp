#include "trainer/train/step_losses.h"

#include <ATen/ATen.h>

#include <cmath>

namespace dualpath::trainer {
namespace {

using torch::Tensor;

/// Values of any dtype, one behind the other, in float64, which holds all of them exactly.
class Values {
 public:
  void add(const Tensor& values) {
    if (values.defined()) parts_.push_back(values.detach().reshape({-1}).to(at::kDouble));
  }
  /// Copies them to the host.
  void read() {
    if (!parts_.empty()) read_ = at::cat(parts_).cpu();
  }
  /// Takes as many values as a tensor has that was added.
  Tensor take(const Tensor& values) {
    if (!values.defined()) return {};
    taken_ += values.numel();
    return read_.narrow(0, taken_ - values.numel(), values.numel());
  }
  double take_scalar(const Tensor& value) {
    return value.defined() ? take(value).item<double>() : 0.0;
  }

 private:
  std::vector<Tensor> parts_;
  Tensor read_;
  std::int64_t taken_ = 0;
};

void name_if_not_finite(StepLosses& losses, const std::string& name, double value) {
  if (losses.not_finite.empty() && !std::isfinite(value)) losses.not_finite = name;
}

void add(const UnreadLosses& unread, Values& values) {
  for (const Tensor* each : {&unread.distances, &unread.hidden, &unread.kl, &unread.ce,
                             &unread.task, &unread.weighted_head, &unread.weighted_hidden})
    values.add(*each);
}

StepLosses take(const UnreadLosses& unread, Values& values) {
  StepLosses losses;
  const Tensor distances = values.take(unread.distances);
  for (std::size_t i = 0; i < unread.stages.size(); ++i)
    name_if_not_finite(losses, unread.stages[i],
                       distances.const_data_ptr<double>()[static_cast<std::ptrdiff_t>(i)]);
  losses.hidden = values.take_scalar(unread.hidden);
  losses.kl = values.take_scalar(unread.kl) / unread.targets;
  losses.ce = values.take_scalar(unread.ce) / unread.targets;
  losses.task = values.take_scalar(unread.task) / unread.targets;
  losses.task_name = unread.task_name;
  const double head = unread.weighted_head.defined()
                          ? values.take_scalar(unread.weighted_head)
                          : unread.weights.kl * losses.kl + unread.weights.ce * losses.ce;
  const double hidden = unread.weighted_hidden.defined()
                            ? values.take_scalar(unread.weighted_hidden)
                            : unread.weights.hidden * losses.hidden;
  losses.total = head + hidden + unread.weights.task() * losses.task;
  name_if_not_finite(losses, "kl", losses.kl);
  name_if_not_finite(losses, "ce", losses.ce);
  name_if_not_finite(losses, losses.task_name, losses.task);
  return losses;
}

}  // namespace

StepLosses& StepLosses::operator+=(const StepLosses& other) {
  total += other.total;
  kl += other.kl;
  ce += other.ce;
  hidden += other.hidden;
  task += other.task;
  task_name = other.task_name;
  if (not_finite.empty()) not_finite = other.not_finite;
  return *this;
}

StepReading read_step(const std::vector<UnreadLosses>& batches, const Tensor& squared_norm,
                      modules::DeviceCounts& counts) {
  Values values;
  const Tensor faults = counts.counts();
  values.add(faults);
  for (const UnreadLosses& batch : batches) add(batch, values);
  values.add(squared_norm);
  values.read();
  if (faults.defined()) counts.check(values.take(faults));
  StepReading step;
  for (const UnreadLosses& batch : batches) step.losses += take(batch, values);
  step.gradient_norm = std::sqrt(values.take_scalar(squared_norm));
  return step;
}

}  // namespace dualpath::trainer
