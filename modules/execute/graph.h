#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "modules/network/network.h"

namespace dualpath::modules {

// Operations that a stage asks of an executor, as data: for exports to other engines and for
// replay(). Each is one method of Executor, whose comment says what it does. A node's inputs and
// outputs are the method's tensors, in order.

struct LinearOp {
  static constexpr std::string_view kName = "linear";
  LinearRefs refs;
};
struct NormLinearOp {
  static constexpr std::string_view kName = "norm_linear";
  NormRef norm;
  LinearRefs refs;
};
struct ConvOp {
  static constexpr std::string_view kName = "conv";
  ConvRef ref;
};
struct ParameterOp {
  static constexpr std::string_view kName = "parameter";
  ParameterRef ref;
};
struct NormOp {
  static constexpr std::string_view kName = "norm";
  NormRef ref;
};
struct EmbeddingOp {
  static constexpr std::string_view kName = "embedding";
  EmbeddingRef ref;
};
/// Inputs: q, k, v, mask, bias. With `cached`, keys and values go behind the ones in the state's
/// cache.
struct AttentionOp {
  static constexpr std::string_view kName = "attention";
  AttentionRef ref;
  bool cached = false;
};
/// Outputs: cosines, sines.
struct RotationTableOp {
  static constexpr std::string_view kName = "rotation_table";
  Rotation rotation;
};
/// Inputs: x, cosines, sines.
struct RotateOp {
  static constexpr std::string_view kName = "rotate";
  bool interleaved = false;
};
struct AddOp {
  static constexpr std::string_view kName = "add";
  double times = 1.0;
};
struct ScaleOp {
  static constexpr std::string_view kName = "scale";
  double factor = 1.0;
};
struct MultiplyOp {
  static constexpr std::string_view kName = "multiply";
};
struct MatmulOp {
  static constexpr std::string_view kName = "matmul";
};
struct ActivationOp {
  static constexpr std::string_view kName = "activation";
  Activation kind;
};
struct GatedOp {
  static constexpr std::string_view kName = "gated";
  Activation kind;
};
struct GluOp {
  static constexpr std::string_view kName = "glu";
};
struct SplitOp {
  static constexpr std::string_view kName = "split";
  std::vector<std::int64_t> sizes;
};
struct ConcatenateOp {
  static constexpr std::string_view kName = "concatenate";
  std::int64_t dim = 0;
};
struct CastOp {
  static constexpr std::string_view kName = "cast";
};
/// Inputs: x, mask.
struct MaskedOp {
  static constexpr std::string_view kName = "masked";
  std::int64_t dim = 0;
};
struct ConvMaskOp {
  static constexpr std::string_view kName = "conv_mask";
  ConvRef ref;
};
struct ResizeOp {
  static constexpr std::string_view kName = "resize";
  PositionResize how;
};
/// Inputs: positions, places, grid.
struct InterpolateOp {
  static constexpr std::string_view kName = "interpolate";
  data::ImageGrid own;
};
/// Inputs: the fields of PlaceholderOperands, in order. Outputs: hidden, kinds.
struct FillOp {
  static constexpr std::string_view kName = "fill";
  Placeholder placeholder;
};
struct TapOp {
  static constexpr std::string_view kName = "tap";
  SiteName site;
};

/// One operation. Arrangements are operations by themselves.
using Operation = std::variant<LinearOp, NormLinearOp, ConvOp, ParameterOp, NormOp, EmbeddingOp,
                               AttentionOp, RotationTableOp, RotateOp, AddOp, ScaleOp, MultiplyOp,
                               MatmulOp, ActivationOp, GatedOp, GluOp, Flatten, Unflatten, Permute,
                               Slice, Expand, Pad, SplitOp, ConcatenateOp, CastOp, MaskedOp,
                               ConvMaskOp, ResizeOp, InterpolateOp, FillOp, TapOp>;

std::string_view name_of(const Operation& operation);

/// A place in Graph::values.
using ValueId = std::int32_t;
/// Stands for an undefined tensor.
inline constexpr ValueId kNoValue = -1;

struct GraphValue {
  std::vector<std::int64_t> shape;
  at::ScalarType dtype;
};

struct GraphNode {
  Operation operation;
  std::vector<ValueId> inputs, outputs;
};

/// A field of the State, by its name (see state_fields.h), and its value.
struct GraphPort {
  std::string field;
  ValueId value;
};

/// A value that depends on no input.
struct GraphConstant {
  ValueId value;
  at::Tensor tensor;
};

/// A stage's tensor operations in their order, each value made once. Weights are names (Refs).
/// Shapes are the recorded run's: some arrangements and constants hold its batch or length.
///
/// A recorded stage. Inputs are the state's fields before the stage. The graph cannot know what the
/// stage makes on the host (see is_made_on_host()). If such a field is read, it is an input, taken
/// from the state as the stage's own host work would leave it. A decoder's "positions" of pictures
/// and a tower's "places" are such fields. A correction is no part of the graph: Corrected applies
/// it behind the stage.
struct Graph {
  std::string stage;
  bool correctable = false;
  Modality stream = Modality::kText;
  std::vector<GraphValue> values = {};
  std::vector<GraphPort> inputs = {}, outputs = {};
  std::vector<GraphConstant> constants = {};
  std::vector<GraphNode> nodes =
      {};  ///< none for a tower's stage if the state had no stream for it
};

/// Runs the stage and returns the operations it asked of the executor. A tensor that the stage made
/// beside the executor is an Error naming the stage. Over a ShapeExecutor the graph is found
/// without data, but lacks kinds, which placeholders make.
Graph record(const Stage& stage, Executor& executor, State& state);

/// Does to tensors what run(stage, executor, state) does, by the graph alone. Reads its inputs from
/// the state, asks the executor for each node, and writes its outputs to the state. Fields that the
/// stage makes on the host must be in the state already. `leading` and a rotation's `interleaved`
/// stay unchanged. An input that is missing or has not its recorded shape is an Error.
void replay(const Graph& graph, Executor& executor, State& state);

}  // namespace dualpath::modules
