#include "modules/execute/structure.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>
#include <set>

#include "data/base/error.h"
#include "modules/execute/shape_executor.h"
#include "modules/network/forwarding_executor.h"

namespace dualpath::modules {
namespace {

using at::Tensor;

/// Writes down the calls of an executor.
class Recorder : public ForwardingExecutor {
 public:
  Recorder(Executor& executor, Structure& structure)
      : ForwardingExecutor(executor), structure_(structure) {}

  void begin(const Stage& stage, const State& state) override {
    stage_ = stage.name;
    structure_.streams[stage.name] = stage.stream;
    ForwardingExecutor::begin(stage, state);
  }
  void end(const Stage& stage, State& state) override {
    ForwardingExecutor::end(stage, state);
    if (stage.correctable)
      structure_.stages.push_back({stage.name, state.stream(stage.stream).hidden.size(-1)});
  }
  void enter(std::string stage) { stage_ = std::move(stage); }

  std::vector<Tensor> linear(const LinearRefs& refs, const Tensor& x) override {
    structure_.linears.push_back({stage_, refs});
    return ForwardingExecutor::linear(refs, x);
  }
  std::vector<Tensor> norm_linear(const NormRef& norm_ref, const LinearRefs& refs,
                                  const Tensor& x) override {
    structure_.norms.push_back(norm_ref);
    structure_.linears.push_back({stage_, refs});
    return ForwardingExecutor::norm_linear(norm_ref, refs, x);
  }
  Tensor conv(const ConvRef& ref, const Tensor& x) override {
    structure_.convs.push_back({stage_, ref});
    return ForwardingExecutor::conv(ref, x);
  }
  Tensor parameter(const ParameterRef& ref) override {
    structure_.parameters.push_back(ref);
    return ForwardingExecutor::parameter(ref);
  }
  Tensor norm(const NormRef& ref, const Tensor& x) override {
    structure_.norms.push_back(ref);
    return ForwardingExecutor::norm(ref, x);
  }
  Tensor embedding(const EmbeddingRef& ref, const Tensor& ids) override {
    structure_.embeddings.push_back(ref);
    return ForwardingExecutor::embedding(ref, ids);
  }
  Tensor attention(const AttentionRef& ref, const Tensor& q, const Tensor& k, const Tensor& v,
                   const AttentionContext& context) override {
    structure_.attentions.push_back({stage_, ref});
    return ForwardingExecutor::attention(ref, q, k, v, context);
  }
  Tensor tap(const SiteName& site, const Tensor& x) override {
    structure_.taps.push_back(site);
    return ForwardingExecutor::tap(site, x);
  }

 private:
  Structure& structure_;
  std::string stage_;
};

using Shape = std::vector<std::int64_t>;

/// The shape of a convolution's weight as a linear of its patches.
Shape matrix_of(const Shape& shape) {
  return {shape.front(),
          std::accumulate(shape.begin() + 1, shape.end(), std::int64_t{1}, std::multiplies<>())};
}

/// Tensors that files hold and no result depends on. These are tables and counters, which are
/// computed anew or only trained with, and a ViT's pooler, which only a classifier of its own
/// reads.
constexpr std::array kWithoutEffect{
    ".inv_freq",           "rotary_emb.cos_cached", "rotary_emb.sin_cached", "position_ids",
    "num_batches_tracked", "embeddings.mask_token", "pooler.dense.weight",   "pooler.dense.bias"};

bool is_without_effect(const std::string& name, const std::vector<std::string>& parts) {
  return std::any_of(kWithoutEffect.begin(), kWithoutEffect.end(),
                     [&](const char* ending) { return name.ends_with(ending); }) ||
         std::any_of(parts.begin(), parts.end(),
                     [&](const std::string& part) { return name.starts_with(part); });
}

/// Lists the first `count` items, and how many more there are.
std::string listed(const std::vector<std::string>& items, std::size_t count) {
  count = std::min(count, items.size());
  const std::string rest =
      items.size() > count ? fmt::format("; and {} more", items.size() - count) : "";
  return fmt::format("{}{}", fmt::join(items.begin(), items.begin() + count, "; "), rest);
}

class WeightCheck {
 public:
  explicit WeightCheck(const WeightStore& weights) : weights_(weights) {}

  void expect(const std::string& name, const Shape& shape) {
    const std::optional<std::string> file = weights_.file_with(name);
    if (!weights_.contains(name)) {
      problems_.push_back(name + " is missing");
    } else if (weights_.info(name).shape != shape) {
      problems_.push_back(fmt::format("{}: expected shape {}, got {}{}", name, shape,
                                      weights_.info(name).shape, file ? " in " + *file : ""));
    }
  }

  /// Expects this shape or, if the file packs its codes into words, the shape written beside them.
  void expect_matrix(const std::string& weight, const Shape& shape) {
    const std::string stored = weight + "_shape";
    if (weights_.contains(weight) || !weights_.contains(stored)) return expect(weight, shape);
    const Tensor sizes = weights_.get(stored).to(at::kLong).contiguous();
    const auto* first = sizes.const_data_ptr<std::int64_t>();
    const Shape got(first, first + sizes.numel()), matrix = matrix_of(shape);
    if (got != matrix)
      problems_.push_back(fmt::format("{}: expected {}, got {}", stored, matrix, got));
  }

  void finish(const std::string& where) const {
    constexpr std::size_t kListed = 8;
    if (!problems_.empty()) throw Error("{}: {}", where, listed(problems_, kListed));
  }

 private:
  const WeightStore& weights_;
  std::vector<std::string> problems_;
};

}  // namespace

Structure structure_of(const Network& network) {
  Structure structure;
  structure.folds = network.folds;
  structure.parts_without_effect = network.parts_without_effect;
  ShapeExecutor shapes;
  Recorder recorder(shapes, structure);
  const Tensor ids = at::empty({1, 2}, at::dtype(at::kLong).device(at::kMeta));
  State state = make_state(ids);
  state.towers = network.tower_samples;
  run(network, recorder, state);
  if (network.head.exists()) {
    recorder.enter(network.head.ref.name);
    structure.streams[network.head.ref.name] = network.stages.back().stream;
    network.head.logits(recorder, at::empty({1, network.head.ref.in_features}, ids.options()));
  }
  return structure;
}

std::int64_t hidden_states(const Network& network, Modality tower, const Stream& sample) {
  ShapeExecutor shapes;
  State state;
  state.towers[tower] = sample;
  for (const Stage& stage : network.stages) {
    if (stage.stream == tower) run(stage, shapes, state);
  }
  return state.stream(tower).hidden.size(1);
}

std::vector<NamedShape> tensors_of(const Structure& structure) {
  std::vector<NamedShape> tensors;
  for (const EmbeddingRef& ref : structure.embeddings)
    tensors.push_back({ref.weight_name(), {ref.rows, ref.width}, /*may_be_packed=*/true});
  for (const NormRef& ref : structure.norms) {
    for (const std::string& name : ref.tensor_names()) tensors.push_back({name, {ref.width}});
  }
  for (const ParameterRef& ref : structure.parameters) tensors.push_back({ref.name, ref.shape});
  for (const auto& [stage, ref] : structure.convs) {
    tensors.push_back({ref.weight_name(), ref.weight_shape()});
    if (ref.bias) tensors.push_back({ref.bias_name(), {ref.out_channels}});
  }
  for (const LinearUse& use : structure.linears) {
    for (const LinearRef& ref : use.refs) {
      tensors.push_back({ref.weight_name(), ref.weight_shape(), /*may_be_packed=*/true});
      if (ref.bias) tensors.push_back({ref.bias_name(), {ref.out_features}});
    }
  }
  return tensors;
}

void check_weights(const Structure& structure, const WeightStore& weights,
                   const std::string& where) {
  WeightCheck check(weights);
  for (const NamedShape& tensor : tensors_of(structure)) {
    if (tensor.may_be_packed) {
      check.expect_matrix(tensor.name, tensor.shape);
    } else {
      check.expect(tensor.name, tensor.shape);
    }
  }
  check.finish(where);
}

void check_all_read(const Structure& structure, const WeightStore& weights,
                    const std::string& where) {
  constexpr std::size_t kListed = 4;
  std::set<std::string> read;
  for (const NamedShape& tensor : tensors_of(structure))
    read.insert(weights.canonical(tensor.name));
  std::vector<std::string> others;
  for (const std::string& name : weights.names())
    if (!read.contains(name) && !is_without_effect(name, structure.parts_without_effect))
      others.push_back(printable(name));
  if (others.empty()) return;
  throw Error("{}: holds weights that its configuration has no place for: {}", where,
              listed(others, kListed));
}

}  // namespace dualpath::modules
