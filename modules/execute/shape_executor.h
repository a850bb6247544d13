#pragma once

#include <vector>

#include "modules/network/executor.h"

namespace dualpath::modules {

/// Answers with the shapes and dtypes that a FloatExecutor in float32 would answer with, on meta
/// tensors. It has no weights and looks at no data.
class ShapeExecutor : public Executor {
 public:
  at::ScalarType compute_dtype() const override { return at::kFloat; }
  at::Device device() const override { return at::kMeta; }
  std::vector<at::Tensor> linear(const LinearRefs& refs, const at::Tensor& x) override;
  std::vector<at::Tensor> norm_linear(const NormRef& norm_ref, const LinearRefs& refs,
                                      const at::Tensor& x) override;
  at::Tensor conv(const ConvRef& ref, const at::Tensor& x) override;
  at::Tensor parameter(const ParameterRef& ref) override;
  at::Tensor norm(const NormRef& ref, const at::Tensor& x) override;
  at::Tensor embedding(const EmbeddingRef& ref, const at::Tensor& ids) override;
  at::Tensor attention(const AttentionRef& ref, const at::Tensor& q, const at::Tensor& k,
                       const at::Tensor& v, const AttentionContext& context) override;
  RotationTable rotation_table(const Rotation& rotation, const at::Tensor& positions) override;
  at::Tensor rotate(const at::Tensor& x, const RotationTable& table) override;
  at::Tensor add(const at::Tensor& x, const at::Tensor& y, double times) override;
  at::Tensor scale(const at::Tensor& x, double factor) override;
  at::Tensor multiply(const at::Tensor& x, const at::Tensor& y) override;
  at::Tensor matmul(const at::Tensor& x, const at::Tensor& y) override;
  at::Tensor activation(Activation kind, const at::Tensor& x) override;
  at::Tensor gated(Activation kind, const at::Tensor& gate, const at::Tensor& up) override;
  at::Tensor glu(const at::Tensor& x) override;
  at::Tensor arrange(const Arrangement& arrangement, const at::Tensor& x) override;
  std::vector<at::Tensor> split(const at::Tensor& x,
                                const std::vector<std::int64_t>& sizes) override;
  at::Tensor concatenate(const std::vector<at::Tensor>& parts, std::int64_t dim) override;
  at::Tensor cast(const at::Tensor& x) override;
  at::Tensor constant(const at::Tensor& value) override { return value; }
  at::Tensor masked(const at::Tensor& x, const at::Tensor& mask, std::int64_t dim) override;
  at::Tensor conv_mask(const ConvRef& ref, const at::Tensor& mask) override;
  at::Tensor resize(const PositionResize& how, const at::Tensor& positions) override;
  at::Tensor interpolate(data::ImageGrid own, const at::Tensor& positions, const at::Tensor& places,
                         const at::Tensor& grid) override;
  FilledPlaceholders fill(const Placeholder& placeholder,
                          const PlaceholderOperands& operands) override;
  at::Tensor tap(const SiteName&, const at::Tensor& x) override { return x; }
  void begin(const Stage&, const State&) override {}
  void end(const Stage&, State&) override {}
  void release() override {}
};

}  // namespace dualpath::modules
