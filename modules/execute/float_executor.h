#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "modules/execute/compute_weights.h"
#include "modules/network/executor.h"
#include "modules/ops/attention.h"
#include "modules/weights/weight_store.h"

namespace dualpath::modules {

/// Whether a linear's weight is a table, as a head's is: much wider than its input. A frozen one is
/// always prepared for products with many rows. Embeddings read the plain one beside it.
bool is_table(const LinearRef& ref);

Visibility visibility_of(const AttentionRef& ref, const AttentionContext& context);

/// Computes in one float dtype: the reference path, and the base of the executors that quantize
/// parts of it.
class FloatExecutor : public Executor {
 public:
  /// options: the dtype and the device.
  FloatExecutor(std::shared_ptr<const WeightStore> weights, at::TensorOptions options,
                Preparation preparation = Preparation::kTables)
      : FloatExecutor(std::make_shared<ComputeWeights>(std::move(weights), options, preparation)) {}
  /// Several executors may share weights.
  explicit FloatExecutor(std::shared_ptr<ComputeWeights> weights) : weights_(std::move(weights)) {}

  const std::shared_ptr<ComputeWeights>& shared_weights() const { return weights_; }

  at::ScalarType compute_dtype() const override { return weights_->dtype(); }
  at::Device device() const override { return weights_->device(); }
  std::vector<at::Tensor> linear(const LinearRefs& refs, const at::Tensor& x) override;
  std::vector<at::Tensor> norm_linear(const NormRef& norm_ref, const LinearRefs& refs,
                                      const at::Tensor& x) override;
  at::Tensor conv(const ConvRef& ref, const at::Tensor& x) override;
  at::Tensor parameter(const ParameterRef& ref) override { return weights_->get(ref.name); }
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
  /// One kernel each way for SiLU, see gated.h.
  at::Tensor gated(Activation kind, const at::Tensor& gate, const at::Tensor& up) override;
  at::Tensor glu(const at::Tensor& x) override;
  at::Tensor arrange(const Arrangement& arrangement, const at::Tensor& x) override;
  std::vector<at::Tensor> split(const at::Tensor& x,
                                const std::vector<std::int64_t>& sizes) override;
  at::Tensor concatenate(const std::vector<at::Tensor>& parts, std::int64_t dim) override;
  at::Tensor cast(const at::Tensor& x) override;
  at::Tensor constant(const at::Tensor& value) override { return value; }
  /// Returns x itself if nothing is padding.
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
  void release() override { weights_->release(); }

 protected:
  at::Tensor linear(const LinearRef& ref, const at::Tensor& x);
  ComputeWeights& weights() { return *weights_; }

 private:
  std::shared_ptr<ComputeWeights> weights_;
};

}  // namespace dualpath::modules
