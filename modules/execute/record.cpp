#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "data/base/error.h"
#include "modules/execute/graph.h"
#include "modules/network/forwarding_executor.h"
#include "modules/network/state_fields.h"

namespace dualpath::modules {
namespace {

using at::Tensor;

/// The defined fields of a state.
std::map<std::string, Tensor> defined_fields(State state) {
  std::map<std::string, Tensor> fields;
  for_each_field(state, [&](const std::string& name, const Tensor& tensor) {
    if (tensor.defined()) fields[name] = tensor;
  });
  return fields;
}

/// Maps tensors to their places in a graph. Holds the tensors, so that no two are one in memory.
class RecordedValues {
 public:
  explicit RecordedValues(Graph& graph) : graph_(graph) {}

  bool contains(const Tensor& tensor) const { return ids_.contains(tensor.unsafeGetTensorImpl()); }
  ValueId at(const Tensor& tensor) const { return ids_.at(tensor.unsafeGetTensorImpl()); }
  ValueId add(const Tensor& tensor) {
    const auto id = static_cast<ValueId>(graph_.values.size());
    graph_.values.push_back({tensor.sizes().vec(), tensor.scalar_type()});
    ids_[tensor.unsafeGetTensorImpl()] = id;
    held_.push_back(tensor);
    return id;
  }

 private:
  Graph& graph_;
  std::unordered_map<const c10::TensorImpl*, ValueId> ids_;
  std::vector<Tensor> held_;
};

/// Writes down the operations that a stage asks of an executor, with their inputs and outputs.
class GraphRecorder : public ForwardingExecutor {
 public:
  GraphRecorder(Executor& executor, Graph& graph)
      : ForwardingExecutor(executor), graph_(graph), values_(graph) {}

  void begin(const Stage& stage, const State& state) override {
    ForwardingExecutor::begin(stage, state);
    state_ = &state;
    start_ = defined_fields(state);
  }
  void end(const Stage& stage, State& state) override {
    for (const auto& [field, tensor] : defined_fields(state)) add_output(field, tensor);
    ForwardingExecutor::end(stage, state);
  }

  std::vector<Tensor> linear(const LinearRefs& refs, const Tensor& x) override {
    return made(LinearOp{refs}, {x}, ForwardingExecutor::linear(refs, x));
  }
  std::vector<Tensor> norm_linear(const NormRef& norm_ref, const LinearRefs& refs,
                                  const Tensor& x) override {
    return made(NormLinearOp{norm_ref, refs}, {x},
                ForwardingExecutor::norm_linear(norm_ref, refs, x));
  }
  Tensor conv(const ConvRef& ref, const Tensor& x) override {
    return made(ConvOp{ref}, {x}, ForwardingExecutor::conv(ref, x));
  }
  Tensor parameter(const ParameterRef& ref) override {
    return made(ParameterOp{ref}, {}, ForwardingExecutor::parameter(ref));
  }
  Tensor norm(const NormRef& ref, const Tensor& x) override {
    return made(NormOp{ref}, {x}, ForwardingExecutor::norm(ref, x));
  }
  Tensor embedding(const EmbeddingRef& ref, const Tensor& ids) override {
    return made(EmbeddingOp{ref}, {ids}, ForwardingExecutor::embedding(ref, ids));
  }
  Tensor attention(const AttentionRef& ref, const Tensor& q, const Tensor& k, const Tensor& v,
                   const AttentionContext& context) override {
    return made(AttentionOp{ref, context.cache != nullptr}, {q, k, v, context.mask, context.bias},
                ForwardingExecutor::attention(ref, q, k, v, context));
  }
  RotationTable rotation_table(const Rotation& rotation, const Tensor& positions) override {
    RotationTable table = ForwardingExecutor::rotation_table(rotation, positions);
    const std::vector<Tensor> tables =
        made(RotationTableOp{rotation}, {positions}, std::vector{table.cos, table.sin});
    return {tables[0], tables[1], table.interleaved};
  }
  Tensor rotate(const Tensor& x, const RotationTable& table) override {
    return made(RotateOp{table.interleaved}, {x, table.cos, table.sin},
                ForwardingExecutor::rotate(x, table));
  }
  Tensor add(const Tensor& x, const Tensor& y, double times) override {
    return made(AddOp{times}, {x, y}, ForwardingExecutor::add(x, y, times));
  }
  Tensor scale(const Tensor& x, double factor) override {
    return made(ScaleOp{factor}, {x}, ForwardingExecutor::scale(x, factor));
  }
  Tensor multiply(const Tensor& x, const Tensor& y) override {
    return made(MultiplyOp{}, {x, y}, ForwardingExecutor::multiply(x, y));
  }
  Tensor matmul(const Tensor& x, const Tensor& y) override {
    return made(MatmulOp{}, {x, y}, ForwardingExecutor::matmul(x, y));
  }
  Tensor activation(Activation kind, const Tensor& x) override {
    return made(ActivationOp{kind}, {x}, ForwardingExecutor::activation(kind, x));
  }
  Tensor gated(Activation kind, const Tensor& gate, const Tensor& up) override {
    return made(GatedOp{kind}, {gate, up}, ForwardingExecutor::gated(kind, gate, up));
  }
  Tensor glu(const Tensor& x) override { return made(GluOp{}, {x}, ForwardingExecutor::glu(x)); }
  Tensor arrange(const Arrangement& arrangement, const Tensor& x) override {
    const Operation operation =
        std::visit([](const auto& how) -> Operation { return how; }, arrangement);
    return made(operation, {x}, ForwardingExecutor::arrange(arrangement, x));
  }
  std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& sizes) override {
    return made(SplitOp{sizes}, {x}, ForwardingExecutor::split(x, sizes));
  }
  Tensor concatenate(const std::vector<Tensor>& parts, std::int64_t dim) override {
    return made(ConcatenateOp{dim}, parts, ForwardingExecutor::concatenate(parts, dim));
  }
  Tensor cast(const Tensor& x) override { return made(CastOp{}, {x}, ForwardingExecutor::cast(x)); }
  Tensor constant(const Tensor& value) override {
    const Tensor tensor = as_new(ForwardingExecutor::constant(value));
    graph_.constants.push_back({values_.add(tensor), tensor});
    return tensor;
  }
  Tensor masked(const Tensor& x, const Tensor& mask, std::int64_t dim) override {
    return made(MaskedOp{dim}, {x, mask}, ForwardingExecutor::masked(x, mask, dim));
  }
  Tensor conv_mask(const ConvRef& ref, const Tensor& mask) override {
    return made(ConvMaskOp{ref}, {mask}, ForwardingExecutor::conv_mask(ref, mask));
  }
  Tensor resize(const PositionResize& how, const Tensor& positions) override {
    return made(ResizeOp{how}, {positions}, ForwardingExecutor::resize(how, positions));
  }
  Tensor interpolate(data::ImageGrid own, const Tensor& positions, const Tensor& places,
                     const Tensor& grid) override {
    return made(InterpolateOp{own}, {positions, places, grid},
                ForwardingExecutor::interpolate(own, positions, places, grid));
  }
  FilledPlaceholders fill(const Placeholder& placeholder,
                          const PlaceholderOperands& operands) override {
    const FilledPlaceholders filled = ForwardingExecutor::fill(placeholder, operands);
    const std::vector<Tensor> results =
        made(FillOp{placeholder},
             {operands.hidden, operands.ids, operands.mask, operands.kinds, operands.tower_hidden,
              operands.tower_mask},
             std::vector{filled.hidden, filled.kinds});
    return {results[0], results[1]};
  }
  Tensor tap(const SiteName& site, const Tensor& x) override {
    return made(TapOp{site}, {x}, ForwardingExecutor::tap(site, x));
  }

 private:
  /// Appends a node. Its results are new tensors, even if the executor returned an input.
  std::vector<Tensor> made(const Operation& operation, const std::vector<Tensor>& inputs,
                           const std::vector<Tensor>& results) {
    GraphNode node{operation, {}, {}};
    for (const Tensor& input : inputs) node.inputs.push_back(value_of(input, operation));
    std::vector<Tensor> outputs;
    for (const Tensor& result : results) {
      outputs.push_back(as_new(result));
      node.outputs.push_back(result.defined() ? values_.add(outputs.back()) : kNoValue);
    }
    graph_.nodes.push_back(std::move(node));
    return outputs;
  }
  Tensor made(const Operation& operation, const std::vector<Tensor>& inputs, const Tensor& result) {
    return made(operation, inputs, std::vector{result}).front();
  }

  Tensor as_new(const Tensor& tensor) const {
    return tensor.defined() && values_.contains(tensor) ? tensor.alias() : tensor;
  }

  ValueId value_of(const Tensor& tensor, const Operation& operation) {
    if (!tensor.defined()) return kNoValue;
    if (!values_.contains(tensor)) add_input(tensor, operation);
    return values_.at(tensor);
  }

  /// The tensor must be a field of the state, as it was at the stage's begin or made on the host.
  void add_input(const Tensor& tensor, const Operation& operation) {
    const auto named = [&](const auto& field) { return field.second.is_same(tensor); };
    const auto before = std::find_if(start_.begin(), start_.end(), named);
    if (before != start_.end()) return add_input(before->first, tensor);
    const std::map<std::string, Tensor> now = defined_fields(*state_);
    const auto field = std::find_if(now.begin(), now.end(), named);
    if (field == now.end() || !is_made_on_host(field->first))
      throw Error("{}: {} is given a tensor that was made beside the executor", graph_.stage,
                  name_of(operation));
    add_input(field->first, tensor);
  }
  void add_input(const std::string& field, const Tensor& tensor) {
    const bool is_taken = std::any_of(graph_.inputs.begin(), graph_.inputs.end(),
                                      [&](const GraphPort& port) { return port.field == field; });
    if (is_taken) throw Error("{}: {} is read before and after it is made", graph_.stage, field);
    graph_.inputs.push_back({field, values_.add(tensor)});
  }

  void add_output(const std::string& field, const Tensor& tensor) {
    const auto before = start_.find(field);
    if (before != start_.end() && before->second.is_same(tensor)) return;
    if (values_.contains(tensor)) {
      graph_.outputs.push_back({field, values_.at(tensor)});
    } else if (!is_made_on_host(field)) {
      throw Error("{}: {} was made beside the executor", graph_.stage, field);
    }
  }

  Graph& graph_;
  RecordedValues values_;
  const State* state_ = nullptr;         // while the stage runs
  std::map<std::string, Tensor> start_;  // the state's fields at its begin
};

}  // namespace

Graph record(const Stage& stage, Executor& executor, State& state) {
  Graph graph{.stage = stage.name, .correctable = stage.correctable, .stream = stage.stream};
  GraphRecorder recorder(executor, graph);
  run(stage, recorder, state);
  return graph;
}

}  // namespace dualpath::modules
