#include "modules/layers/conformer_layer.h"

#include <cmath>
#include <vector>

#include "modules/layers/folds.h"
#include "modules/layers/heads.h"
#include "modules/layers/qkv.h"
#include "modules/layers/relative_positions.h"

namespace dualpath::modules {
namespace {

using at::Tensor;

/// Splits heads: [B, T, heads * D] -> [B, heads, T, D].
Tensor heads(Executor& executor, const AttentionRef& ref, const Tensor& x) {
  return swap_heads(executor, split_heads(executor, x, ref.num_heads));
}

/// Swaps time and channels: [B, T, H] -> [B, H, T], and back.
Tensor transposed(Executor& executor, const Tensor& x) {
  return executor.arrange(Permute{{0, 2, 1}}, x);
}

/// Adds a bias [heads, D] to q [B, heads, T, D].
Tensor biased(Executor& executor, const Tensor& q, const ParameterRef& bias) {
  const Tensor row = executor.arrange(Unflatten{1, {1, -1}}, executor.parameter(bias));
  return executor.add(q, row);
}

/// The distances' part of q's scores: q [B, heads, T, D] -> [B, heads, T, T].
Tensor distance_scores(Executor& executor, const ConformerLayer::Attention& attention,
                       const Tensor& q, const Tensor& x) {
  const ConformerLayer::RelativePositions& positions = *attention.positions;
  const Tensor distances = executor.constant(relative_positions(x, positions.keys.in_features));
  const Tensor keys =
      heads(executor, attention.ref, executor.linear({positions.keys}, distances).front());
  const Tensor scores = executor.matmul(biased(executor, q, positions.distance_bias),
                                        executor.arrange(Permute{{0, 1, 3, 2}}, keys));
  const double scale = 1.0 / std::sqrt(static_cast<double>(attention.ref.head_dim));
  return executor.scale(by_key(executor, scores), scale);
}

}  // namespace

void ConformerLayer::forward(Executor& executor, Stream& stream) const {
  const auto added = [&](const char* branch, const Tensor& x, const Tensor& update,
                         double times = 1.0) {
    return executor.tap(site(name, branch) + ".residual", executor.add(x, update, times));
  };
  const auto with_convolution = [&](const Tensor& x) {
    return added("convolution", x, convolved(executor, x, stream.mask));
  };
  Tensor x = added("first_half", stream.hidden, fed_forward(executor, first, stream.hidden), 0.5);
  if (convolution_first) x = with_convolution(x);
  x = added("attention", x, attended(executor, x, stream.mask));
  if (!convolution_first) x = with_convolution(x);
  x = added("second_half", x, fed_forward(executor, second, x), 0.5);
  stream.hidden = executor.norm(final_norm, x);
}

std::vector<ChannelFold> ConformerLayer::folds() const {
  const LinearRef& output = attention.output;
  return {fold(first.norm, {first.up}), fold(attention.norm, attention.qkv),
          fold(attention.qkv.back(), output.in_features, {output}),
          fold(convolution.norm, {convolution.expand}), fold(second.norm, {second.up})};
}

Tensor ConformerLayer::fed_forward(Executor& executor, const FeedForward& step,
                                   const Tensor& x) const {
  const Tensor up = executor.norm_linear(step.norm, {step.up}, x).front();
  return executor.linear({step.down}, executor.activation(activation, up)).front();
}

Tensor ConformerLayer::attended(Executor& executor, const Tensor& x, const Tensor& mask) const {
  const AttentionRef& ref = attention.ref;
  const std::vector<Tensor> qkv =
      split_qkv(executor, executor.norm_linear(attention.norm, attention.qkv, x), ref);
  Tensor q = heads(executor, ref, qkv[0]);
  AttentionContext context{.mask = mask};
  if (attention.positions) {
    context.bias = distance_scores(executor, attention, q, x);
    q = biased(executor, q, attention.positions->content_bias);
  }
  const Tensor k = heads(executor, ref, qkv[1]), v = heads(executor, ref, qkv[2]);
  const Tensor y = executor.attention(ref, q, k, v, context);
  return executor.linear({attention.output}, merge_heads(executor, y)).front();
}

Tensor ConformerLayer::convolved(Executor& executor, const Tensor& x, const Tensor& mask) const {
  const Tensor expanded = executor.norm_linear(convolution.norm, {convolution.expand}, x).front();
  const Tensor real = executor.masked(executor.glu(expanded), mask, /*dim=*/1);
  const Tensor mixed =
      transposed(executor, executor.conv(convolution.depthwise, transposed(executor, real)));
  const Tensor normed = executor.norm(convolution.batch_norm, mixed);
  return executor.linear({convolution.contract}, executor.activation(activation, normed)).front();
}

}  // namespace dualpath::modules
