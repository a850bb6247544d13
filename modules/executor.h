#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "modules/site.h"
#include "modules/state.h"

namespace dualpath::modules {

class KvCache;
struct Stage;

/// y = x W^T + b. The weight is "<name>.weight" [out_features, in_features], the bias
/// "<name>.bias".
struct LinearRef {
  std::string name;
  std::int64_t in_features = 0, out_features = 0;
  bool bias = false;
  std::string weight_name() const { return name + ".weight"; }
  std::string bias_name() const { return name + ".bias"; }
  Site input_site() const { return site(name, "input"); }
  Site weight_site() const { return site(name, "weight"); }
};
/// Several consumers of one x (q, k, v; gate, up): their inputs are one tensor group.
using LinearRefs = std::vector<LinearRef>;

/// RMSNorm over the last dimension, weight "<name>.weight" [width].
struct NormRef {
  std::string name;
  std::int64_t width = 0;
  double eps = 1e-6;
  std::string weight_name() const { return name + ".weight"; }
};

/// A table "<name>.weight" [rows, width].
struct EmbeddingRef {
  std::string name;
  std::int64_t rows = 0, width = 0;
  std::string weight_name() const { return name + ".weight"; }
};

/// Scaled dot-product attention, causal. Its operands are sites "<name>.query", ".key", ".value".
struct AttentionRef {
  std::string name;
  std::int64_t num_heads = 0, num_key_value_heads = 0, head_dim = 0;
};

/// What carries a network out. A network is written once against this interface and never asks how
/// it is computed: in float, observed, simulated in integers, or (later) by integer kernels, an
/// export trace or a runtime.
struct Executor {
  virtual ~Executor() = default;

  /// x: [..., in]. One result [..., out] for each ref, in order.
  virtual std::vector<at::Tensor> linear(const LinearRefs& refs, const at::Tensor& x) = 0;
  /// The norm feeds only these linears, so an executor may fuse the two; the bits are those of the
  /// two apart.
  virtual std::vector<at::Tensor> norm_linear(const NormRef& norm_ref, const LinearRefs& refs,
                                              const at::Tensor& x) {
    return linear(refs, norm(norm_ref, x));
  }
  /// x: [..., width], dtype kept.
  virtual at::Tensor norm(const NormRef& ref, const at::Tensor& x) = 0;
  /// ids: int64 [...]. Result: [..., width].
  virtual at::Tensor embedding(const EmbeddingRef& ref, const at::Tensor& ids) = 0;
  /// q: [B, heads, T, D]; k, v: [B, kv_heads, T, D], which go behind what the cache holds, if there
  /// is one: S keys in all. Row t of q sees keys up to S - T + t.
  virtual at::Tensor attention(const AttentionRef& ref, const at::Tensor& q, const at::Tensor& k,
                               const at::Tensor& v, KvCache* cache) = 0;
  /// A place to look at or to quantize that belongs to no linear (residual stream, FFN product).
  virtual at::Tensor tap(const Site&, const at::Tensor& x) { return x; }

  /// Called by run(stage, executor, state), before and after the stage.
  virtual void begin(const Stage&, const State&) {}
  virtual void end(const Stage&, State&) {}
};

}  // namespace dualpath::modules
