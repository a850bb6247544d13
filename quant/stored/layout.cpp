#include "quant/stored/layout.h"

#include <fmt/format.h>

#include <functional>
#include <map>
#include <numeric>
#include <set>

#include "modules/weights/tensor_view.h"
#include "quant/stored/packed_codes.h"

namespace dualpath::quant {
namespace {

using modules::LinearRef;
using modules::Structure;

/// The words in compressed-tensors' names.
constexpr Named<modules::Operand> kScaleNames[] = {{"q_scale", modules::Operand::kQuery},
                                                   {"k_scale", modules::Operand::kKey},
                                                   {"v_scale", modules::Operand::kValue}};

PlannedBytes bytes_of(const std::string& name, const std::vector<std::int64_t>& shape,
                      at::ScalarType dtype) {
  const std::int64_t numel =
      std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
  const data::DType stored = modules::dtype_of(dtype);
  return {.name = name,
          .shape = shape,
          .dtype = std::string(data::name_of(stored)),
          .bytes = numel * static_cast<std::int64_t>(data::size_of(stored))};
}

/// Adds an export's tensors of a quantized weight and of its input, under their stored names.
void append_quantized(const Plan& plan, const PlannedLinear& linear,
                      const modules::WeightStore& weights, std::vector<PlannedBytes>& planned) {
  const LinearRef& ref = linear.ref;
  const QuantArgs& args = linear.weights;
  const std::int64_t outputs = ref.out_features, inputs = ref.in_features,
                     groups = args.strategy == Strategy::kGroup ? inputs / args.group_size : 1;
  const auto add = [&](const char* name, const std::vector<std::int64_t>& shape,
                       at::ScalarType dtype) {
    planned.push_back(bytes_of(weights.canonical(ref.name + name), shape, dtype));
    planned.back().scheme = linear.scheme;
  };
  if (linear.is_packed()) {
    add(stored_name::kPackedCodes, {outputs, words_of(inputs, args.num_bits)}, at::kInt);
  } else {
    add(stored_name::kCodes, ref.weight_shape(), at::kChar);
  }
  add(stored_name::kScale, {outputs, groups}, at::kFloat);
  if (linear.is_packed()) add(stored_name::kShape, {2}, at::kLong);
  if (!args.symmetric)
    add(stored_name::kZeroPoint, {words_of(outputs, args.num_bits), groups}, at::kInt);
  if (!plan.has_input_scale(linear)) return;
  planned.push_back(bytes_of(ref.name + stored_name::kInputScale, {1}, at::kFloat));
  planned.back().scheme = linear.scheme;
}

/// Adds an export's tensors of a quantized convolution, under their stored names.
void append_quantized(const PlannedConv& conv, std::vector<PlannedBytes>& planned) {
  const auto add = [&](const char* name, const std::vector<std::int64_t>& shape,
                       at::ScalarType dtype) {
    planned.push_back(bytes_of(conv.ref.name + name, shape, dtype));
    planned.back().scheme = conv.scheme;
  };
  add(stored_name::kCodes, conv.ref.weight_shape(), at::kChar);
  add(stored_name::kScale, scale_shape(conv), at::kFloat);
  add(stored_name::kInputScale, {1}, at::kFloat);
}

void append_scales(const PlannedAttention& attention, std::vector<PlannedBytes>& planned) {
  for (const modules::Operand operand : attention.operands()) {
    planned.push_back(bytes_of(stored_name::scale(attention, operand),
                               {attention.ref.heads(operand), 1, 1}, at::kFloat));
  }
}

}  // namespace

std::string stored_name::scale(const PlannedAttention& attention, modules::Operand operand) {
  return fmt::format("{}.{}", attention.ref.name, name_in(kScaleNames, operand));
}

std::vector<std::int64_t> scale_shape(const PlannedConv& conv) {
  std::vector<std::int64_t> shape(conv.ref.weight_shape().size(), 1);
  shape.front() = conv.ref.out_channels;
  return shape;
}

at::ScalarType exported_dtype(const modules::WeightInfo& info, at::ScalarType compute) {
  return info.decoded && info.shape.size() > 1 ? compute : info.dtype;
}

std::vector<PlannedBytes> planned_bytes(const Plan& plan, const modules::WeightStore& weights,
                                        at::ScalarType compute) {
  const std::map<std::string, const PlannedLinear*> quantized = plan.by_weight(weights);
  const std::map<std::string, const PlannedConv*> convs = plan.convs_by_weight();
  std::vector<PlannedBytes> planned;
  for (const std::string& name : weights.names()) {
    const auto linear = quantized.find(name);
    if (linear != quantized.end()) {
      append_quantized(plan, *linear->second, weights, planned);
    } else if (const auto conv = convs.find(name); conv != convs.end()) {
      append_quantized(*conv->second, planned);
    } else {
      const modules::WeightInfo info = weights.info(name);
      planned.push_back(bytes_of(name, info.shape, exported_dtype(info, compute)));
    }
  }
  for (const PlannedAttention& attention : plan.attentions) append_scales(attention, planned);
  return planned;
}

std::int64_t cache_bytes_per_token(const Plan& plan, const Structure& structure,
                                   at::ScalarType compute) {
  std::set<std::string> quantized;
  for (const PlannedAttention& attention : plan.attentions) quantized.insert(attention.ref.name);
  std::int64_t bytes = 0;
  for (const auto& [stage, ref] : structure.attentions) {
    if (!ref.causal) continue;
    const auto each = static_cast<std::int64_t>(
        c10::elementSize(quantized.contains(ref.name) ? at::kChar : compute));
    bytes += 2 * ref.num_key_value_heads * ref.head_dim * each;
  }
  return bytes;
}

std::int64_t total_bytes(const std::vector<PlannedBytes>& weights) {
  return std::accumulate(
      weights.begin(), weights.end(), std::int64_t{0},
      [](std::int64_t sum, const PlannedBytes& weight) { return sum + weight.bytes; });
}

}  // namespace dualpath::quant
