#include "modules/execute/float_executor.h"

#include <ATen/ATen.h>

#include "modules/encoders/patch_places.h"
#include "modules/encoders/patches.h"
#include "modules/execute/compute_weights.h"
#include "modules/language/placeholders.h"
#include "modules/ops/convolution.h"
#include "modules/ops/gated.h"
#include "modules/ops/norm.h"
#include "modules/ops/padding.h"
#include "modules/ops/rotation.h"

namespace dualpath::modules {

using at::Tensor;

Visibility visibility_of(const AttentionRef& ref, const AttentionContext& context) {
  const Tensor lengths = context.mask.defined() ? context.mask.sum(1) : Tensor();
  return {ref.causal, lengths, context.bias};
}

bool is_table(const LinearRef& ref) {
  constexpr std::int64_t kTimesWider = 8;
  return !ref.bias && ref.out_features >= kTimesWider * ref.in_features;
}

Tensor FloatExecutor::linear(const LinearRef& ref, const Tensor& x) {
  constexpr std::int64_t kManyRows = 64;
  const Tensor bias = ref.bias ? weights_->get(ref.bias_name()) : Tensor();
  // Backward would want another layout, so all weights would be there twice.
  const bool one_way = !at::GradMode::is_enabled() || !x.requires_grad();
  const bool may_prepare =
      is_table(ref) || (weights_->preparation() == Preparation::kLinears && one_way);
  if (may_prepare && x.numel() >= kManyRows * ref.in_features && !bias.requires_grad()) {
    if (const auto prepared = weights_->prepared(ref.weight_name()))
      return prepared_linear(x, prepared, bias);
  }
  return at::linear(x, weights_->get(ref.weight_name()).flatten(1), bias);
}

std::vector<Tensor> FloatExecutor::linear(const LinearRefs& refs, const Tensor& x) {
  std::vector<Tensor> results;
  results.reserve(refs.size());
  for (const LinearRef& ref : refs) results.push_back(linear(ref, x));
  return results;
}

std::vector<Tensor> FloatExecutor::norm_linear(const NormRef& norm_ref, const LinearRefs& refs,
                                               const Tensor& x) {
  return linear(refs, norm(norm_ref, x));
}

Tensor FloatExecutor::conv(const ConvRef& ref, const Tensor& x) {
  const Tensor bias = ref.bias ? weights_->get(ref.bias_name()) : Tensor();
  return convolution(ref, x, weights_->get(ref.weight_name()), bias);
}

Tensor FloatExecutor::norm(const NormRef& ref, const Tensor& x) {
  const auto tensor = [&](const std::string& name) { return weights_->get(name, at::kFloat); };
  const Tensor weight = tensor(ref.weight_name());
  switch (ref.kind) {
    case NormKind::kRms:
      return rms_norm(x, weight, ref.eps);
    case NormKind::kLayer:
      return layer_norm(x, weight, tensor(ref.bias_name()), ref.eps);
    case NormKind::kBatch:
      return frozen_batch_norm(x,
                               {weight, tensor(ref.bias_name()), tensor(ref.name + ".running_mean"),
                                tensor(ref.name + ".running_var")},
                               ref.eps);
  }
  return x;
}

Tensor FloatExecutor::embedding(const EmbeddingRef& ref, const Tensor& ids) {
  return at::embedding(weights_->get(ref.weight_name()), ids);
}

Tensor FloatExecutor::attention(const AttentionRef& ref, const Tensor& q, const Tensor& k,
                                const Tensor& v, const AttentionContext& context) {
  const Visibility visibility = visibility_of(ref, context);
  if (!context.cache) return modules::attention(q, k, v, visibility);
  const auto [keys, values] = context.cache->append(ref.name, k, v);
  return modules::attention(q, keys, values, visibility);
}

RotationTable FloatExecutor::rotation_table(const Rotation& rotation, const Tensor& positions) {
  return modules::rotation_table(rotation, positions);
}

Tensor FloatExecutor::rotate(const Tensor& x, const RotationTable& table) {
  return modules::rotate(x, table);
}

Tensor FloatExecutor::add(const Tensor& x, const Tensor& y, double times) {
  return at::add(x, y, times);
}

Tensor FloatExecutor::scale(const Tensor& x, double factor) { return x * factor; }

Tensor FloatExecutor::multiply(const Tensor& x, const Tensor& y) { return at::mul(x, y); }

Tensor FloatExecutor::matmul(const Tensor& x, const Tensor& y) { return at::matmul(x, y); }

Tensor FloatExecutor::activation(Activation kind, const Tensor& x) { return activated(kind, x); }

Tensor FloatExecutor::gated(Activation kind, const Tensor& gate, const Tensor& up) {
  return modules::gated(kind, gate, up);
}

Tensor FloatExecutor::glu(const Tensor& x) { return at::glu(x, -1); }

Tensor FloatExecutor::arrange(const Arrangement& arrangement, const Tensor& x) {
  return arranged(arrangement, x);
}

std::vector<Tensor> FloatExecutor::split(const Tensor& x, const std::vector<std::int64_t>& sizes) {
  return x.split_with_sizes(sizes, -1);
}

Tensor FloatExecutor::concatenate(const std::vector<Tensor>& parts, std::int64_t dim) {
  return at::cat(parts, dim);
}

Tensor FloatExecutor::cast(const Tensor& x) { return x.to(compute_dtype()); }

Tensor FloatExecutor::masked(const Tensor& x, const Tensor& mask, std::int64_t dim) {
  return without_padding(x, mask, dim);
}

Tensor FloatExecutor::conv_mask(const ConvRef& ref, const Tensor& mask) {
  return modules::conv_mask(ref, mask);
}

Tensor FloatExecutor::resize(const PositionResize& how, const Tensor& positions) {
  return resized_positions(positions, how);
}

Tensor FloatExecutor::interpolate(data::ImageGrid own, const Tensor& positions,
                                  const Tensor& places, const Tensor& grid) {
  return interpolated_positions(positions, own, places, grid);
}

FilledPlaceholders FloatExecutor::fill(const Placeholder& placeholder,
                                       const PlaceholderOperands& operands) {
  return filled(placeholder, operands);
}

}  // namespace dualpath::modules
