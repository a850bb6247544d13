#pragma once

#include <memory>

#include "modules/execute/compute_weights.h"
#include "modules/network/executor.h"
#include "modules/ops/attention.h"
#include "modules/weights/weight_store.h"

namespace dualpath::modules {

/// Whether a linear's weight is a table, as a head's is: much wider than its input. A frozen one is
/// always packed for its products with many rows, beside the plain one, which embeddings read.
bool is_table(const LinearRef& ref);

Visibility visibility_of(const AttentionRef& ref, const AttentionContext& context);

/// Computes in one float dtype: the reference path, and the base of the executors that quantize
/// parts of it.
class FloatExecutor : public Executor {
 public:
  FloatExecutor(std::shared_ptr<const WeightStore> weights, at::ScalarType dtype,
                Packing packing = Packing::kTables)
      : FloatExecutor(std::make_shared<ComputeWeights>(std::move(weights), dtype, packing)) {}
  /// Several executors may share weights.
  explicit FloatExecutor(std::shared_ptr<ComputeWeights> weights) : weights_(std::move(weights)) {}

  const std::shared_ptr<ComputeWeights>& shared_weights() const { return weights_; }

  at::ScalarType compute_dtype() const override { return weights_->dtype(); }
  std::vector<at::Tensor> linear(const LinearRefs& refs, const at::Tensor& x) override;
  at::Tensor conv(const ConvRef& ref, const at::Tensor& x) override;
  at::Tensor parameter(const ParameterRef& ref) override { return weights_->get(ref.name); }
  at::Tensor norm(const NormRef& ref, const at::Tensor& x) override;
  at::Tensor embedding(const EmbeddingRef& ref, const at::Tensor& ids) override;
  at::Tensor attention(const AttentionRef& ref, const at::Tensor& q, const at::Tensor& k,
                       const at::Tensor& v, const AttentionContext& context) override;

 protected:
  at::Tensor linear(const LinearRef& ref, const at::Tensor& x);
  ComputeWeights& weights() { return *weights_; }

 private:
  std::shared_ptr<ComputeWeights> weights_;
};

}  // namespace dualpath::modules
