#include "modules/layers/conformer_layer.h"

#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "modules/layers/qkv.h"
#include "modules/layers/relative_positions.h"
#include "modules/ops/gated.h"

namespace dualpath::modules {
namespace {

using at::Tensor;

/// [B, T, heads * D] -> [B, heads, T, D].
Tensor heads(const AttentionRef& ref, const Tensor& x) {
  return x.unflatten(-1, {ref.num_heads, ref.head_dim}).transpose(1, 2);
}

/// What the distances add to the scores of q [B, heads, T, D]: [B, heads, T, T].
Tensor distance_scores(Executor& executor, const ConformerLayer::Attention& attention,
                       const Tensor& q, const Tensor& x) {
  const ConformerLayer::RelativePositions& positions = *attention.positions;
  const Tensor distances = relative_positions(x, positions.keys.in_features);
  const Tensor keys = heads(attention.ref, executor.linear({positions.keys}, distances).front());
  const Tensor biased = q + executor.parameter(positions.distance_bias).unsqueeze(1);
  const double scale = 1.0 / std::sqrt(static_cast<double>(attention.ref.head_dim));
  return by_key(at::matmul(biased, keys.transpose(2, 3))) * scale;
}

}  // namespace

void ConformerLayer::forward(Executor& executor, Stream& stream) const {
  const auto added = [&](const char* branch, const Tensor& x, const Tensor& update,
                         double times = 1.0) {
    return executor.tap(site(name, branch) + ".residual", at::add(x, update, times));
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

Tensor ConformerLayer::fed_forward(Executor& executor, const FeedForward& step,
                                   const Tensor& x) const {
  const Tensor up = executor.norm_linear(step.norm, {step.up}, x).front();
  return executor.linear({step.down}, activated(activation, up)).front();
}

Tensor ConformerLayer::attended(Executor& executor, const Tensor& x, const Tensor& mask) const {
  const AttentionRef& ref = attention.ref;
  const std::vector<Tensor> qkv =
      split_qkv(executor.norm_linear(attention.norm, attention.qkv, x), ref);
  Tensor q = heads(ref, qkv[0]);
  AttentionContext context{.mask = mask};
  if (attention.positions) {
    context.bias = distance_scores(executor, attention, q, x);
    q = q + executor.parameter(attention.positions->content_bias).unsqueeze(1);
  }
  const Tensor y = executor.attention(ref, q, heads(ref, qkv[1]), heads(ref, qkv[2]), context);
  return executor.linear({attention.output}, y.transpose(1, 2).flatten(2)).front();
}

Tensor ConformerLayer::convolved(Executor& executor, const Tensor& x, const Tensor& mask) const {
  const Tensor expanded = executor.norm_linear(convolution.norm, {convolution.expand}, x).front();
  Tensor real = at::glu(expanded, -1);
  const bool only_shapes = mask.is_meta();
  if (!only_shapes && !mask.all().item<bool>()) real = real * mask.unsqueeze(-1);
  const Tensor mixed = executor.conv(convolution.depthwise, real.transpose(1, 2)).transpose(1, 2);
  const Tensor normed = executor.norm(convolution.batch_norm, mixed);
  return executor.linear({convolution.contract}, activated(activation, normed)).front();
}

}  // namespace dualpath::modules
