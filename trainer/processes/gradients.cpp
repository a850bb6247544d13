#include "trainer/processes/gradients.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace dualpath::trainer {
namespace {

using at::Tensor;

constexpr std::int64_t kBucketElements = 25'000'000 / 4;  // DistributedDataParallel's 25 MB

/// The names of the parameters that have a gradient on any process, ascending.
std::vector<std::string> names_with_gradient(Processes& processes,
                                             const modules::NamedTensors& parameters) {
  const Tensor has_gradient = at::zeros({static_cast<std::int64_t>(parameters.size())}, at::kInt);
  auto* has = has_gradient.mutable_data_ptr<std::int32_t>();
  for (const auto& [name, parameter] : parameters) *has++ = parameter.grad().defined();
  processes.sum("gradients", {has_gradient});
  std::vector<std::string> trained;
  const auto* any_has = has_gradient.const_data_ptr<std::int32_t>();
  for (const auto& [name, parameter] : parameters) {
    if (*any_has++ > 0) trained.push_back(name);
  }
  return trained;
}

/// Parameters of one owner whose gradients travel together, and these gradients, flat.
struct Bucket {
  int owner;
  std::vector<Tensor> parameters;
  Tensor gradients;
};

/// owner_of: the owner of a parameter, by name.
template <class OwnerOf>
std::vector<Bucket> buckets_of(const modules::NamedTensors& parameters,
                               const std::vector<std::string>& names, const OwnerOf& owner_of) {
  std::vector<Bucket> buckets;
  std::int64_t elements = 0;
  for (const std::string& name : names) {
    const Tensor& parameter = parameters.at(name);
    const int owner = owner_of(name);
    if (buckets.empty() || buckets.back().owner != owner ||
        elements + parameter.numel() > kBucketElements) {
      buckets.push_back({owner, {}, {}});
      elements = 0;
    }
    buckets.back().parameters.push_back(parameter);
    elements += parameter.numel();
  }
  return buckets;
}

void flatten(Bucket& bucket) {
  std::vector<Tensor> flat;
  for (const Tensor& parameter : bucket.parameters) {
    const Tensor& gradient = parameter.grad();
    flat.push_back(gradient.defined() ? gradient.reshape(-1)
                                      : at::zeros({parameter.numel()}, parameter.options()));
  }
  bucket.gradients = at::cat(flat);
}

std::vector<Tensor> flattened(std::vector<Bucket>& buckets) {
  std::vector<Tensor> gradients;
  for (Bucket& bucket : buckets) {
    flatten(bucket);
    gradients.push_back(bucket.gradients);
  }
  return gradients;
}

void unflatten(const Bucket& bucket) {
  std::int64_t begin = 0;
  for (const Tensor& parameter : bucket.parameters) {
    const Tensor sum = bucket.gradients.narrow(0, begin, parameter.numel()).view_as(parameter);
    Tensor& gradient = parameter.mutable_grad();
    if (!gradient.defined()) gradient = at::empty_like(parameter);
    gradient.copy_(sum);
    begin += parameter.numel();
  }
}

}  // namespace

void sum_gradients(Processes& processes, const modules::NamedTensors& parameters) {
  if (processes.size() == 1) return;
  const at::NoGradGuard no_grad;
  const auto names = names_with_gradient(processes, parameters);
  std::vector<Bucket> buckets = buckets_of(parameters, names, [](const auto&) { return 0; });
  processes.sum("gradients", flattened(buckets));
  for (const Bucket& bucket : buckets) unflatten(bucket);
}

std::map<std::string, int> owners_of(const Processes& processes,
                                     const modules::NamedTensors& parameters) {
  std::int64_t all = 0, before = 0;
  for (const auto& [name, parameter] : parameters) all += parameter.numel();
  std::map<std::string, int> owners;
  for (const auto& [name, parameter] : parameters) {
    const std::int64_t middle = before + parameter.numel() / 2;
    owners[name] = static_cast<int>(middle * processes.size() / std::max<std::int64_t>(1, all));
    before += parameter.numel();
  }
  return owners;
}

std::vector<std::string> sum_gradients_at(Processes& processes,
                                          const modules::NamedTensors& parameters,
                                          const std::map<std::string, int>& owners) {
  const at::NoGradGuard no_grad;
  const auto names = names_with_gradient(processes, parameters);
  std::vector<Bucket> buckets =
      buckets_of(parameters, names, [&](const std::string& name) { return owners.at(name); });
  std::vector<int> roots;
  for (const Bucket& bucket : buckets) roots.push_back(bucket.owner);
  processes.sum_at("gradients", flattened(buckets), roots);
  for (const Bucket& bucket : buckets) {
    if (bucket.owner == processes.rank()) {
      unflatten(bucket);
    } else {
      for (const Tensor& parameter : bucket.parameters) parameter.mutable_grad() = Tensor();
    }
  }
  return names;
}

}  // namespace dualpath::trainer
