#include <c10/util/Exception.h>

#include <map>

#include "data/base/error.h"
#include "modules/execute/graph.h"
#include "modules/network/state_fields.h"

namespace dualpath::modules {
namespace {

using at::Tensor;
using Tensors = std::vector<Tensor>;

/// Asks an executor for one operation.
class Caller {
 public:
  Caller(Executor& executor, KvCache* cache) : executor_(executor), cache_(cache) {}

  Tensors operator()(const LinearOp& op, const Tensors& in) const {
    return executor_.linear(op.refs, in[0]);
  }
  Tensors operator()(const NormLinearOp& op, const Tensors& in) const {
    return executor_.norm_linear(op.norm, op.refs, in[0]);
  }
  Tensors operator()(const ConvOp& op, const Tensors& in) const {
    return {executor_.conv(op.ref, in[0])};
  }
  Tensors operator()(const ParameterOp& op, const Tensors&) const {
    return {executor_.parameter(op.ref)};
  }
  Tensors operator()(const NormOp& op, const Tensors& in) const {
    return {executor_.norm(op.ref, in[0])};
  }
  Tensors operator()(const EmbeddingOp& op, const Tensors& in) const {
    return {executor_.embedding(op.ref, in[0])};
  }
  Tensors operator()(const AttentionOp& op, const Tensors& in) const {
    TORCH_CHECK(!op.cached || cache_, op.ref.name, ": the graph was recorded with a cache");
    const AttentionContext context{op.cached ? cache_ : nullptr, in[3], in[4]};
    return {executor_.attention(op.ref, in[0], in[1], in[2], context)};
  }
  Tensors operator()(const RotationTableOp& op, const Tensors& in) const {
    const RotationTable table = executor_.rotation_table(op.rotation, in[0]);
    return {table.cos, table.sin};
  }
  Tensors operator()(const RotateOp& op, const Tensors& in) const {
    return {executor_.rotate(in[0], {in[1], in[2], op.interleaved})};
  }
  Tensors operator()(const AddOp& op, const Tensors& in) const {
    return {executor_.add(in[0], in[1], op.times)};
  }
  Tensors operator()(const ScaleOp& op, const Tensors& in) const {
    return {executor_.scale(in[0], op.factor)};
  }
  Tensors operator()(const MultiplyOp&, const Tensors& in) const {
    return {executor_.multiply(in[0], in[1])};
  }
  Tensors operator()(const MatmulOp&, const Tensors& in) const {
    return {executor_.matmul(in[0], in[1])};
  }
  Tensors operator()(const ActivationOp& op, const Tensors& in) const {
    return {executor_.activation(op.kind, in[0])};
  }
  Tensors operator()(const GatedOp& op, const Tensors& in) const {
    return {executor_.gated(op.kind, in[0], in[1])};
  }
  Tensors operator()(const GluOp&, const Tensors& in) const { return {executor_.glu(in[0])}; }
  Tensors operator()(const Arrangement& op, const Tensors& in) const {
    return {executor_.arrange(op, in[0])};
  }
  Tensors operator()(const SplitOp& op, const Tensors& in) const {
    return executor_.split(in[0], op.sizes);
  }
  Tensors operator()(const ConcatenateOp& op, const Tensors& in) const {
    return {executor_.concatenate(in, op.dim)};
  }
  Tensors operator()(const CastOp&, const Tensors& in) const { return {executor_.cast(in[0])}; }
  Tensors operator()(const MaskedOp& op, const Tensors& in) const {
    return {executor_.masked(in[0], in[1], op.dim)};
  }
  Tensors operator()(const ConvMaskOp& op, const Tensors& in) const {
    return {executor_.conv_mask(op.ref, in[0])};
  }
  Tensors operator()(const ResizeOp& op, const Tensors& in) const {
    return {executor_.resize(op.how, in[0])};
  }
  Tensors operator()(const InterpolateOp& op, const Tensors& in) const {
    return {executor_.interpolate(op.own, in[0], in[1], in[2])};
  }
  Tensors operator()(const FillOp& op, const Tensors& in) const {
    const FilledPlaceholders filled =
        executor_.fill(op.placeholder, {in[0], in[1], in[2], in[3], in[4], in[5]});
    return {filled.hidden, filled.kinds};
  }
  Tensors operator()(const TapOp& op, const Tensors& in) const {
    return {executor_.tap(op.site, in[0])};
  }

 private:
  Executor& executor_;
  KvCache* cache_;
};

/// Finds values by their ids.
class ReplayedValues {
 public:
  explicit ReplayedValues(const Graph& graph) : tensors_(graph.values.size()) {}

  void set(ValueId id, const Tensor& tensor) {
    if (id != kNoValue) tensors_[static_cast<std::size_t>(id)] = tensor;
  }
  Tensor get(ValueId id) const {
    return id == kNoValue ? Tensor() : tensors_[static_cast<std::size_t>(id)];
  }
  Tensors get(const std::vector<ValueId>& ids) const {
    Tensors tensors;
    for (const ValueId id : ids) tensors.push_back(get(id));
    return tensors;
  }

 private:
  Tensors tensors_;
};

std::map<std::string, Tensor*> fields_by_name(State& state) {
  std::map<std::string, Tensor*> fields;
  for_each_field(state, [&](const std::string& name, Tensor& tensor) { fields[name] = &tensor; });
  return fields;
}

}  // namespace

void replay(const Graph& graph, Executor& executor, State& state) {
  if (!state.has(graph.stream)) return;
  const Stage stage{graph.stage, graph.correctable, /*forward=*/nullptr, graph.stream};
  executor.begin(stage, state);
  const std::map<std::string, Tensor*> fields = fields_by_name(state);
  ReplayedValues values(graph);
  for (const auto& [field, value] : graph.inputs) {
    const auto found = fields.find(field);
    if (found == fields.end() || !found->second->defined())
      throw Error("{}: the state has no {}, which its graph reads", graph.stage, field);
    if (found->second->sizes() != graph.values[static_cast<std::size_t>(value)].shape)
      throw Error("{}: {} has another shape than when its graph was recorded", graph.stage, field);
    values.set(value, *found->second);
  }
  for (const auto& [value, tensor] : graph.constants) values.set(value, tensor);
  const Caller call(executor, state.cache);
  for (const auto& [operation, inputs, outputs] : graph.nodes) {
    const Tensors in = values.get(inputs);
    const Tensors made = std::visit([&](const auto& op) { return call(op, in); }, operation);
    for (std::size_t i = 0; i < outputs.size(); ++i) values.set(outputs[i], made[i]);
  }
  for (const auto& [field, value] : graph.outputs) *fields.at(field) = values.get(value);
  executor.end(stage, state);
}

}  // namespace dualpath::modules
