#include "modules/encoders/cmal.h"

#include <ATen/ATen.h>

#include <optional>
#include <utility>
#include <vector>

#include "modules/encoders/patches.h"
#include "modules/layers/folds.h"
#include "modules/layers/heads.h"

namespace dualpath::modules {
namespace {

using at::Tensor;

/// A mask without padding: [batch, length] bool.
Tensor all_real(Executor& executor, const Tensor& x, std::int64_t length) {
  return executor.constant(at::ones({x.size(0), length}, x.options().dtype(at::kBool)));
}

/// Merges squares of size x size patches, as [channels, rows, columns]. The stream's grid becomes
/// theirs. All images of a stream that has patches row by row are of one size.
Tensor merged_patches(Executor& executor, Stream& stream, const Tensor& x, std::int64_t size) {
  const Tensor squares = merged_grid(stream.grid, size);
  const auto grid = stream.grid.accessor<std::int64_t, 2>();
  const std::int64_t rows = grid[0][0], columns = grid[0][1];
  const Tensor patches = executor.arrange(Slice{1, stream.leading, rows * columns}, x);
  const Tensor cells =
      executor.arrange(Unflatten{1, {rows / size, size, columns / size, size}}, patches);
  const Tensor by_square = executor.arrange(Permute{{0, 1, 3, 5, 2, 4}}, cells);
  const Tensor merged = executor.arrange(Flatten{1, 2}, executor.arrange(Flatten{3}, by_square));
  stream.grid = squares;
  stream.leading = 0;
  stream.mask = all_real(executor, merged, merged.size(1));
  return merged;
}

/// Puts `size` frames side by side.
Tensor stacked_frames(Executor& executor, Stream& stream, const Tensor& x, std::int64_t size) {
  const std::int64_t missing = (size - x.size(1) % size) % size;
  const Tensor real = executor.masked(x, stream.mask, /*dim=*/1);
  stream.mask = every(executor, executor.arrange(Pad{{0, missing}}, stream.mask), size);
  const Tensor padded = executor.arrange(Pad{{0, 0, 0, missing}}, real);
  return executor.arrange(Flatten{2}, executor.arrange(Unflatten{1, {-1, size}}, padded));
}

/// Reads the projected states by learned queries.
struct Resampler {
  ParameterRef queries;  ///< [1, Q, width]
  LinearRef query, output;
  LinearRefs key_value;
  AttentionRef attention;

  Resampler(const CmalConfig& config, const std::string& name, std::int64_t width)
      : queries{name + ".queries", {1, config.num_queries, width}},
        query{name + ".query", width, width, /*bias=*/true},
        output{name + ".output", width, width, /*bias=*/true},
        key_value{{name + ".key", width, width, /*bias=*/true},
                  {name + ".value", width, width, /*bias=*/true}},
        attention{name, config.num_attention_heads, config.num_attention_heads,
                  width / config.num_attention_heads, /*causal=*/false} {}

  Tensor operator()(Executor& executor, Stream& stream, const Tensor& x) const {
    const auto heads = [&](const Tensor& y) {  // -> [B, heads, T, D]
      return swap_heads(executor, split_heads(executor, y, attention.num_heads));
    };
    const std::vector<Tensor> read = executor.linear(key_value, x);
    stream.grid = Tensor();  // queries lie in no grid
    const Tensor key_mask = std::exchange(stream.mask, all_real(executor, x, queries.shape[1]));
    const Tensor asked = executor.arrange(Expand{{x.size(0), -1, -1}}, executor.parameter(queries));
    const Tensor q = heads(executor.linear({query}, asked).front());
    const Tensor found =
        executor.attention(attention, q, heads(read[0]), heads(read[1]), {.mask = key_mask});
    const Tensor update = executor.linear({output}, merge_heads(executor, found)).front();
    return executor.add(asked, update);
  }
};

}  // namespace

Network make_cmal(const CmalConfig& config, Modality modality, std::int64_t in_features,
                  std::int64_t out_features, const std::string& name) {
  const bool is_image = modality == Modality::kImage;
  const std::int64_t size = config.merge_size, merged = is_image ? size * size : size;
  const NormRef norm{name + ".norm", in_features, config.layer_norm_eps, NormKind::kLayer};
  const LinearRef first{name + ".fc1", merged * in_features, config.intermediate_size,
                        /*bias=*/true},
      second{name + ".fc2", config.intermediate_size, out_features, /*bias=*/true};
  const ParameterRef embedding{name + ".modality", {1, 1, out_features}};
  std::optional<Resampler> resampler;
  if (config.num_queries > 0) resampler.emplace(config, name, out_features);
  const auto forward = [=](Executor& executor, State& state) {
    Stream& stream = state.stream(modality);
    const Tensor normed = executor.norm(norm, stream.hidden);
    const Tensor x = is_image ? merged_patches(executor, stream, normed, size)
                              : stacked_frames(executor, stream, normed, size);
    const Tensor inner =
        executor.activation(Activation::kGelu, executor.linear({first}, x).front());
    Tensor projected = executor.linear({second}, inner).front();
    if (resampler) projected = (*resampler)(executor, stream, projected);
    stream.hidden = executor.add(projected, executor.parameter(embedding));
  };
  Network network;
  network.folds.push_back(fold(norm, {first}));
  network.folds.back().block = is_image ? 1 : in_features;  // as merging lays them
  network.folds.back().repeats = merged;
  if (resampler) {
    network.folds.push_back(fold(second, out_features, resampler->key_value));
    network.folds.push_back(fold(resampler->key_value.back(), out_features, {resampler->output}));
  }
  network.stages.push_back({name, /*correctable=*/true, forward, modality, /*merges=*/true});
  return network;
}

}  // namespace dualpath::modules
