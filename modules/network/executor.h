#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "modules/network/site.h"
#include "modules/network/state.h"

namespace dualpath::modules {

class KvCache;
struct Stage;

/// y = x W^T + b. The weight is "<name>.weight" [out_features, in_features], the bias
/// "<name>.bias".
struct LinearRef {
  std::string name;
  std::int64_t in_features = 0, out_features = 0;
  bool bias = false;
  /// Of a convolution that is a linear of its patches, because they do not overlap: its weight is
  /// stored as [out_features, in_features / product, kernel...]. Empty for a linear.
  std::vector<std::int64_t> kernel = {};

  std::vector<std::int64_t> weight_shape() const;
  std::string weight_name() const { return name + ".weight"; }
  std::string bias_name() const { return name + ".bias"; }
  SiteName input_site() const { return site(name, "input"); }
  SiteName weight_site() const { return site(name, "weight"); }
};
/// Several consumers of one x (q, k, v; gate, up): their inputs are one tensor group.
using LinearRefs = std::vector<LinearRef>;

/// kRms: over the last dimension, without a bias; kLayer: the same with mean and bias; kBatch: each
/// channel by the mean and variance that training left.
enum class NormKind { kRms, kLayer, kBatch };

/// Its tensors are [width] each: "<name>.weight"; of all but kRms "<name>.bias"; of kBatch
/// "<name>.running_mean" and ".running_var".
struct NormRef {
  std::string name;
  std::int64_t width = 0;
  double eps = 1e-6;
  NormKind kind = NormKind::kRms;
  std::string weight_name() const { return name + ".weight"; }
  std::string bias_name() const { return name + ".bias"; }
  std::vector<std::string> tensor_names() const;
};

/// A convolution over 1, 2 or 3 dimensions, weight "<name>.weight" [out_channels, in_channels /
/// groups, kernel...], bias "<name>.bias". Kernel, stride and padding have an entry a dimension.
struct ConvRef {
  std::string name;
  std::int64_t in_channels = 0, out_channels = 0;
  std::vector<std::int64_t> kernel, stride, padding;
  std::int64_t groups = 1;
  bool bias = false;

  std::vector<std::int64_t> weight_shape() const;
  std::string weight_name() const { return name + ".weight"; }
  std::string bias_name() const { return name + ".bias"; }
  SiteName input_site() const { return site(name, "input"); }
  SiteName weight_site() const { return site(name, "weight"); }
};

/// A tensor of its own: class tokens, positions, biases of attention scores.
struct ParameterRef {
  std::string name;  ///< the whole of it: "embeddings.cls_token"
  std::vector<std::int64_t> shape;
};

/// A table "<name>.weight" [rows, width].
struct EmbeddingRef {
  std::string name;
  std::int64_t rows = 0, width = 0;
  std::string weight_name() const { return name + ".weight"; }
};

/// Scaled dot-product attention. Its operands are sites "<name>.query", ".key", ".value".
struct AttentionRef {
  std::string name;
  std::int64_t num_heads = 0, num_key_value_heads = 0, head_dim = 0;
  bool causal = true;

  SiteName site(Operand operand) const { return modules::site(name, name_of(operand)); }
  std::int64_t heads(Operand operand) const {
    return operand == Operand::kQuery ? num_heads : num_key_value_heads;
  }
};

/// What an attention is given beside its operands.
struct AttentionContext {
  KvCache* cache = nullptr;
  at::Tensor mask =
      {};  ///< [B, S] bool, false = padding, on the right; undefined: all keys are real
  at::Tensor bias = {};  ///< [B or 1, heads, T, S], added to the scaled scores; undefined: nothing
};

/// What carries a network out. A network is written once against this interface and never asks how
/// it is computed: in float, observed, simulated in integers, or (later) by integer kernels, an
/// export trace or a runtime.
struct Executor {
  virtual ~Executor() = default;

  /// What hidden states are in; a tower's first stage brings its input into it.
  virtual at::ScalarType compute_dtype() const = 0;

  /// x: [..., in]. One result [..., out] for each ref, in order.
  virtual std::vector<at::Tensor> linear(const LinearRefs& refs, const at::Tensor& x) = 0;
  /// The norm feeds only these linears, so an executor may fuse the two; the bits are those of the
  /// two apart.
  virtual std::vector<at::Tensor> norm_linear(const NormRef& norm_ref, const LinearRefs& refs,
                                              const at::Tensor& x) {
    return linear(refs, norm(norm_ref, x));
  }
  /// x: [B, in_channels, sizes...]. Result: [B, out_channels, sizes...].
  virtual at::Tensor conv(const ConvRef& ref, const at::Tensor& x) = 0;
  /// In compute_dtype().
  virtual at::Tensor parameter(const ParameterRef& ref) = 0;
  /// x: [..., width], dtype kept.
  virtual at::Tensor norm(const NormRef& ref, const at::Tensor& x) = 0;
  /// ids: int64 [...]. Result: [..., width].
  virtual at::Tensor embedding(const EmbeddingRef& ref, const at::Tensor& ids) = 0;
  /// q: [B, heads, T, D]; k, v: [B, kv_heads, T, D], which go behind what the cache holds, if there
  /// is one: S keys in all. If it is causal, row t of q sees keys up to S - T + t.
  virtual at::Tensor attention(const AttentionRef& ref, const at::Tensor& q, const at::Tensor& k,
                               const at::Tensor& v, const AttentionContext& context) = 0;
  /// A place to look at or to quantize that belongs to no linear (residual stream, FFN product).
  virtual at::Tensor tap(const SiteName&, const at::Tensor& x) { return x; }

  /// Called by run(stage, executor, state), before and after the stage.
  virtual void begin(const Stage&, const State&) {}
  virtual void end(const Stage&, State&) {}
};

}  // namespace dualpath::modules
