#include "modules/weights/not_finite.h"

#include <ATen/ATen.h>

#include <cmath>
#include <string_view>

#include "data/base/error.h"
#include "modules/weights/compute_dtype.h"
#include "modules/weights/device_counts.h"

namespace dualpath::modules {
namespace {

std::string_view name_of(at::ScalarType dtype) {
  for (const auto& [name, known] : kComputeDtypes)
    if (known == dtype) return name;
  return c10::toString(dtype);
}

std::int64_t not_finite_count(const at::Tensor& values) {
  return not_finite_sum(values).item<std::int64_t>();
}

/// Sums in one pass without a copy: a value that is not finite makes the sum so, too. A sum may
/// overflow by itself, so only a finite one is sure.
bool is_finite_by_sum(const at::Tensor& values) {
  return values.is_meta() || std::isfinite(values.detach().sum(at::kFloat).item<float>());
}

}  // namespace

at::Tensor not_finite_sum(const at::Tensor& values) {
  return at::isfinite(values.detach()).logical_not_().sum();
}

void refuse_not_finite(const std::string& what, std::int64_t count, std::int64_t numel,
                       at::ScalarType dtype) {
  if (count == 0) return;
  throw Error("{}: {} of {} values are not finite in {} (model.dtype){}", what, count, numel,
              name_of(dtype),
              dtype == at::kHalf ? ", which ends at 65504; bfloat16 and float32 do not" : "");
}

void require_finite(const std::string& what, const at::Tensor& values) {
  const auto count = [&](const at::Tensor& counter) { counter.add_(not_finite_sum(values)); };
  if (!values.is_cpu()) return count_on_device(what, values, count);
  refuse_not_finite(what, not_finite_count(values), values.numel(), values.scalar_type());
}

at::Tensor finite_weight(const std::string& name, const at::Tensor& stored, at::ScalarType dtype) {
  const at::Tensor weight = stored.to(dtype);
  if (is_finite_by_sum(weight)) return weight;
  if (const std::int64_t count = not_finite_count(stored); count > 0)
    throw Error("{}: {} of {} values are not finite in the model's file", name, count,
                stored.numel());
  require_finite(name, weight);
  return weight;
}

}  // namespace dualpath::modules
