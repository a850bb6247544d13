#include "trainer/processes/gradients.h"

#include <ATen/ATen.h>

namespace dualpath::trainer {
namespace {

using at::Tensor;

constexpr std::int64_t kBucketElements = 25'000'000 / 4;  // DistributedDataParallel's 25 MB

/// The parameters that have a gradient on any process, in the order of their names.
std::vector<Tensor> trained_anywhere(Processes& processes,
                                     const modules::NamedTensors& parameters) {
  const Tensor has_gradient = at::zeros({static_cast<std::int64_t>(parameters.size())}, at::kInt);
  std::int64_t i = 0;
  for (const auto& [name, parameter] : parameters) has_gradient[i++] = parameter.grad().defined();
  processes.sum("gradients", {has_gradient});
  std::vector<Tensor> trained;
  const auto* has = has_gradient.const_data_ptr<std::int32_t>();
  for (const auto& [name, parameter] : parameters) {
    if (*has++ > 0) trained.push_back(parameter);
  }
  return trained;
}

/// Parameters whose gradients travel together, and these gradients, flat.
struct Bucket {
  std::vector<Tensor> parameters;
  Tensor gradients;
};

std::vector<Bucket> buckets_of(const std::vector<Tensor>& parameters) {
  std::vector<Bucket> buckets;
  std::int64_t elements = kBucketElements;
  for (const Tensor& parameter : parameters) {
    if (elements + parameter.numel() > kBucketElements) {
      buckets.emplace_back();
      elements = 0;
    }
    buckets.back().parameters.push_back(parameter);
    elements += parameter.numel();
  }
  return buckets;
}

void fill(Bucket& bucket) {
  std::vector<Tensor> flat;
  for (const Tensor& parameter : bucket.parameters) {
    const Tensor& gradient = parameter.grad();
    flat.push_back(gradient.defined() ? gradient.reshape(-1)
                                      : at::zeros({parameter.numel()}, parameter.options()));
  }
  bucket.gradients = at::cat(flat);
}

void empty(const Bucket& bucket) {
  std::int64_t begin = 0;
  for (const Tensor& parameter : bucket.parameters) {
    const Tensor sum = bucket.gradients.narrow(0, begin, parameter.numel()).view_as(parameter);
    Tensor& gradient = parameter.mutable_grad();
    if (gradient.defined()) {
      gradient.copy_(sum);
    } else {
      gradient = at::empty_like(parameter).copy_(sum);
    }
    begin += parameter.numel();
  }
}

}  // namespace

void sum_gradients(Processes& processes, const modules::NamedTensors& parameters) {
  if (processes.size() == 1) return;
  const at::NoGradGuard no_grad;
  std::vector<Bucket> buckets = buckets_of(trained_anywhere(processes, parameters));
  std::vector<Tensor> flat;
  for (Bucket& bucket : buckets) {
    fill(bucket);
    flat.push_back(bucket.gradients);
  }
  processes.sum("gradients", flat);
  for (const Bucket& bucket : buckets) empty(bucket);
}

}  // namespace dualpath::trainer
