#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "data/media/image.h"
#include "modules/config/activation.h"
#include "modules/config/decoder_config.h"
#include "modules/network/arrangement.h"
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
  /// Kernel of a convolution that is a linear of its patches, because they do not overlap. Its
  /// weight is stored as [out_features, in_features / product, kernel...]. Empty for a linear.
  std::vector<std::int64_t> kernel = {};

  std::vector<std::int64_t> weight_shape() const;
  std::string weight_name() const { return name + ".weight"; }
  std::string bias_name() const { return name + ".bias"; }
  SiteName input_site() const { return site(name, "input"); }
  SiteName weight_site() const { return site(name, "weight"); }
};
/// Several consumers of one x (q, k, v; gate, up): their inputs are one tensor group.
using LinearRefs = std::vector<LinearRef>;

/// kRms goes over the last dimension, without a bias. kLayer also has a mean and a bias. kBatch
/// norms each channel by the mean and variance that training left.
enum class NormKind { kRms, kLayer, kBatch };

/// Tensors of [width] each: "<name>.weight"; but for kRms also "<name>.bias"; for kBatch also
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
  std::string name;  ///< the whole name: "embeddings.cls_token"
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

/// Inputs of an attention beside its operands.
struct AttentionContext {
  KvCache* cache = nullptr;
  at::Tensor mask =
      {};  ///< [B, S] bool, false = padding, on the right; if undefined, all keys are real
  at::Tensor bias = {};  ///< [B or 1, heads, T, S], added to the scaled scores if defined
};

/// Reads learned positions, which lie row by row, at another size by bicubic interpolation.
struct PositionResize {
  data::ImageGrid from, to;
  bool antialiased = false;  ///< timm's way; else transformers'
};

/// Inputs that find placeholder tokens, and the hidden states that replace them.
struct PlaceholderOperands {
  at::Tensor hidden;        ///< [B, T, H], the decoder's
  at::Tensor ids, mask;     ///< [B, T] int64, bool
  at::Tensor kinds;         ///< [B, T] int8, see State; if undefined, all positions are text
  at::Tensor tower_hidden;  ///< [samples, S, H]
  at::Tensor tower_mask;    ///< [samples, S] bool; if undefined, all are real
};

/// Result of filling placeholders: hidden states, and the kinds that say which they are.
struct FilledPlaceholders {
  at::Tensor hidden, kinds;
};

/// Carries a network out. A network is written once against this interface and never asks how it is
/// computed: in float, observed, simulated in integers, as shapes alone, or recorded as a graph.
/// All of a stage's work on tensors goes through it. Its work on the host (a grid of patches,
/// positions of pictures) does not: that reads and writes the State's other fields.
///
/// Every method is pure. Executors that compute derive from FloatExecutor, wrappers of another one
/// from ForwardingExecutor. So neither can miss a method that is added here.
struct Executor {
  virtual ~Executor() = default;

  /// Dtype of hidden states. A tower's first stage casts its input to it.
  virtual at::ScalarType compute_dtype() const = 0;
  /// Device of its weights. A state's tensors are expected there, too.
  virtual at::Device device() const = 0;

  // Operations with tensors of the model's own.

  /// x: [..., in]. One result [..., out] for each ref, in order.
  virtual std::vector<at::Tensor> linear(const LinearRefs& refs, const at::Tensor& x) = 0;
  /// Norms, then multiplies. The norm feeds only these linears, so an executor may fuse the two;
  /// the bits are the same as apart.
  virtual std::vector<at::Tensor> norm_linear(const NormRef& norm_ref, const LinearRefs& refs,
                                              const at::Tensor& x) = 0;
  /// x: [B, in_channels, sizes...]. Result: [B, out_channels, sizes...].
  virtual at::Tensor conv(const ConvRef& ref, const at::Tensor& x) = 0;
  /// The tensor in compute_dtype().
  virtual at::Tensor parameter(const ParameterRef& ref) = 0;
  /// x: [..., width], dtype kept.
  virtual at::Tensor norm(const NormRef& ref, const at::Tensor& x) = 0;
  /// ids: int64 [...]. Result: [..., width].
  virtual at::Tensor embedding(const EmbeddingRef& ref, const at::Tensor& ids) = 0;

  // Operations between activations. Dtypes are kept.

  /// q: [B, heads, T, D]; k, v: [B, kv_heads, T, D]. If there is a cache, they go behind what it
  /// holds: S keys in all. If causal, row t of q sees keys up to S - T + t.
  virtual at::Tensor attention(const AttentionRef& ref, const at::Tensor& q, const at::Tensor& k,
                               const at::Tensor& v, const AttentionContext& context) = 0;
  /// positions: [B, T] int64, or with sections [3, B, T]. Result: float32, see RotationTable.
  virtual RotationTable rotation_table(const Rotation& rotation, const at::Tensor& positions) = 0;
  /// x: [B, T, heads, D]. Turns its pairs by the table.
  virtual at::Tensor rotate(const at::Tensor& x, const RotationTable& table) = 0;
  /// x + times * y. The shapes must broadcast.
  virtual at::Tensor add(const at::Tensor& x, const at::Tensor& y, double times = 1.0) = 0;
  virtual at::Tensor scale(const at::Tensor& x, double factor) = 0;
  /// x * y, element by element. The shapes must broadcast.
  virtual at::Tensor multiply(const at::Tensor& x, const at::Tensor& y) = 0;
  /// x: [..., M, K]; y: [..., K, N].
  virtual at::Tensor matmul(const at::Tensor& x, const at::Tensor& y) = 0;
  virtual at::Tensor activation(Activation kind, const at::Tensor& x) = 0;
  /// activation(gate) * up. Both have one shape.
  virtual at::Tensor gated(Activation kind, const at::Tensor& gate, const at::Tensor& up) = 0;
  /// x: [..., 2 H], values and their gates. Result: [..., H], values * sigmoid(gates).
  virtual at::Tensor glu(const at::Tensor& x) = 0;
  virtual at::Tensor arrange(const Arrangement& arrangement, const at::Tensor& x) = 0;
  /// Splits the last dimension into these sizes.
  virtual std::vector<at::Tensor> split(const at::Tensor& x,
                                        const std::vector<std::int64_t>& sizes) = 0;
  virtual at::Tensor concatenate(const std::vector<at::Tensor>& parts, std::int64_t dim) = 0;

  // Operations on inputs, padding and positions.

  /// x in compute_dtype().
  virtual at::Tensor cast(const at::Tensor& x) = 0;
  /// Returns a tensor that depends on sizes alone (a mask without padding, sines of distances).
  /// Executors that look at a stage need not know how it was made.
  virtual at::Tensor constant(const at::Tensor& value) = 0;
  /// x with zeros where mask [B, T] is false. Its first dimension is B, its dimension `dim` is T.
  virtual at::Tensor masked(const at::Tensor& x, const at::Tensor& mask, std::int64_t dim) = 0;
  /// Tells which positions of a convolution's result are real. mask: [B, T], padding on the right,
  /// over the first dimension it convolves. Result: [B, T'].
  virtual at::Tensor conv_mask(const ConvRef& ref, const at::Tensor& mask) = 0;
  /// positions: [1, from.rows * from.columns, H]. Result: [1, to.rows * to.columns, H].
  virtual at::Tensor resize(const PositionResize& how, const at::Tensor& positions) = 0;
  /// Reads learned positions [own.rows * own.columns, H] where the patches of images of other sizes
  /// lie on them, by bicubic interpolation. places: [B, T, 2] int64; grid: [B, 2] int64. Result:
  /// [B, T, H].
  virtual at::Tensor interpolate(data::ImageGrid own, const at::Tensor& positions,
                                 const at::Tensor& places, const at::Tensor& grid) = 0;
  /// Replaces placeholder tokens by a tower's real hidden states, in order. Throws an Error if
  /// their numbers differ.
  virtual FilledPlaceholders fill(const Placeholder& placeholder,
                                  const PlaceholderOperands& operands) = 0;

  // Hooks for observers.

  /// Shows a tensor of no linear (residual stream, FFN product), to look at or to quantize.
  virtual at::Tensor tap(const SiteName& site, const at::Tensor& x) = 0;

  /// Called by run(stage, executor, state), before and after the stage.
  virtual void begin(const Stage& stage, const State& state) = 0;
  virtual void end(const Stage& stage, State& state) = 0;

  /// Lets go of all that is kept of weights. What is asked for again is read again.
  virtual void release() = 0;
};

}  // namespace dualpath::modules
