#include "modules/execute/shape_executor.h"

#include <ATen/ATen.h>

#include "modules/ops/padding.h"
#include "modules/ops/rotation.h"

namespace dualpath::modules {
namespace {

using at::Tensor;

Tensor floats(const std::vector<std::int64_t>& shape) {
  return at::empty(shape, at::dtype(at::kFloat).device(at::kMeta));
}

Tensor with_last(const Tensor& x, std::int64_t size) {
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape.back() = size;
  return floats(shape);
}

}  // namespace

std::vector<Tensor> ShapeExecutor::linear(const LinearRefs& refs, const Tensor& x) {
  std::vector<Tensor> results;
  for (const LinearRef& ref : refs) results.push_back(with_last(x, ref.out_features));
  return results;
}

std::vector<Tensor> ShapeExecutor::norm_linear(const NormRef& norm_ref, const LinearRefs& refs,
                                               const Tensor& x) {
  return linear(refs, norm(norm_ref, x));
}

Tensor ShapeExecutor::conv(const ConvRef& ref, const Tensor& x) {
  std::vector<std::int64_t> shape{x.size(0), ref.out_channels};
  for (std::size_t i = 0; i < ref.kernel.size(); ++i) {
    const std::int64_t size = x.size(static_cast<std::int64_t>(i) + 2) + 2 * ref.padding[i];
    shape.push_back((size - ref.kernel[i]) / ref.stride[i] + 1);
  }
  return floats(shape);
}

Tensor ShapeExecutor::parameter(const ParameterRef& ref) { return floats(ref.shape); }

Tensor ShapeExecutor::norm(const NormRef&, const Tensor& x) { return x; }

Tensor ShapeExecutor::embedding(const EmbeddingRef& ref, const Tensor& ids) {
  return with_last(ids.unsqueeze(-1), ref.width);
}

Tensor ShapeExecutor::attention(const AttentionRef&, const Tensor& q, const Tensor&, const Tensor&,
                                const AttentionContext&) {
  return q;
}

RotationTable ShapeExecutor::rotation_table(const Rotation& rotation, const Tensor& positions) {
  return modules::rotation_table(rotation, positions);
}

Tensor ShapeExecutor::rotate(const Tensor& x, const RotationTable&) { return x; }

Tensor ShapeExecutor::add(const Tensor& x, const Tensor& y, double) { return x + y; }

Tensor ShapeExecutor::scale(const Tensor& x, double) { return x; }

Tensor ShapeExecutor::multiply(const Tensor& x, const Tensor& y) { return x * y; }

Tensor ShapeExecutor::matmul(const Tensor& x, const Tensor& y) { return at::matmul(x, y); }

Tensor ShapeExecutor::activation(Activation, const Tensor& x) { return x; }

Tensor ShapeExecutor::gated(Activation, const Tensor& gate, const Tensor&) { return gate; }

Tensor ShapeExecutor::glu(const Tensor& x) { return with_last(x, x.size(-1) / 2); }

Tensor ShapeExecutor::arrange(const Arrangement& arrangement, const Tensor& x) {
  return arranged(arrangement, x);
}

std::vector<Tensor> ShapeExecutor::split(const Tensor& x, const std::vector<std::int64_t>& sizes) {
  return x.split_with_sizes(sizes, -1);
}

Tensor ShapeExecutor::concatenate(const std::vector<Tensor>& parts, std::int64_t dim) {
  return at::cat(parts, dim);
}

Tensor ShapeExecutor::cast(const Tensor& x) { return x.to(compute_dtype()); }

Tensor ShapeExecutor::masked(const Tensor& x, const Tensor&, std::int64_t) { return x; }

Tensor ShapeExecutor::conv_mask(const ConvRef& ref, const Tensor& mask) {
  return at::empty({mask.size(0), conv_length(ref, mask.size(1))}, mask.options());
}

Tensor ShapeExecutor::resize(const PositionResize& how, const Tensor& positions) {
  return floats({1, how.to.rows * how.to.columns, positions.size(2)});
}

Tensor ShapeExecutor::interpolate(data::ImageGrid, const Tensor& positions, const Tensor& places,
                                  const Tensor&) {
  return floats({places.size(0), places.size(1), positions.size(1)});
}

/// Returns no kinds: without data it is not known where placeholders are.
FilledPlaceholders ShapeExecutor::fill(const Placeholder&, const PlaceholderOperands& operands) {
  return {operands.hidden, operands.kinds};
}

}  // namespace dualpath::modules
