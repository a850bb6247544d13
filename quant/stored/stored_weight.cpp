#include "quant/stored/stored_weight.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "data/base/error.h"
#include "modules/weights/to_device.h"
#include "quant/stored/packed_codes.h"

namespace dualpath::quant {
namespace {

using at::Tensor;
using modules::WeightStore;

Tensor read(const WeightStore& weights, const std::string& name,
            const std::vector<std::int64_t>& shape, at::ScalarType dtype) {
  Tensor tensor = weights.get(name);
  if (tensor.sizes() != shape || tensor.scalar_type() != dtype)
    throw Error("{}: expected {} {}, got {} {}", name, c10::toString(dtype), shape,
                c10::toString(tensor.scalar_type()), tensor.sizes().vec());
  return tensor;
}

/// Packs the columns of codes [rows, columns] instead of their rows.
Tensor pack_columns(const Tensor& codes, int num_bits) {
  return pack_codes(codes.t(), num_bits).t().contiguous();
}

Tensor unpack_columns(const Tensor& packed, int num_bits, std::int64_t rows) {
  return unpack_codes(packed.t(), num_bits, rows).t().contiguous();
}

/// Makes [outputs] a matrix [outputs, 1].
Tensor matrix(const Tensor& each) { return each.dim() == 1 ? each.unsqueeze(1) : each; }

/// ref: a linear's or a convolution's.
template <class Ref>
Tensor float_bias(const WeightStore& weights, const Ref& ref, at::Device device) {
  return ref.bias
             ? modules::to_device(weights.get(ref.bias_name()), device).to(at::kFloat).contiguous()
             : Tensor();
}

/// Reads a linear's codes from an export.
class StoredWeight {
 public:
  StoredWeight(const WeightStore& weights, const PlannedLinear& linear)
      : weights_(weights), linear_(linear), args_(linear.weights) {}

  GridWeight get() const {
    const std::int64_t outputs = linear_.ref.out_features, inputs = linear_.ref.in_features;
    const bool grouped = args_.strategy == Strategy::kGroup;
    const std::int64_t groups = grouped ? inputs / args_.group_size : 1;
    const auto shaped = [&](const Tensor& each) { return grouped ? each : each.flatten(); };
    const Tensor scale = read(weights_, name(stored_name::kScale), {outputs, groups}, at::kFloat);
    GridWeight weight{.codes = codes(outputs, inputs), .scale = shaped(scale), .args = args_};
    if (args_.symmetric) return weight;
    const Tensor packed = read(weights_, name(stored_name::kZeroPoint),
                               {words_of(outputs, args_.num_bits), groups}, at::kInt);
    const Tensor zero_point = unpack_columns(packed, args_.num_bits, outputs);
    weight.zero_point = shaped(zero_point);
    weight.codes.view({outputs, groups, -1}).sub_(zero_point.unsqueeze(2));
    return weight;
  }

 private:
  /// The stored tensor's name. The store knows a tied table's other name.
  std::string name(const char* tensor) const { return linear_.ref.name + tensor; }

  Tensor codes(std::int64_t outputs, std::int64_t inputs) const {
    if (!linear_.is_packed())
      return read(weights_, name(stored_name::kCodes), linear_.ref.weight_shape(), at::kChar)
          .flatten(1);
    const Tensor packed = read(weights_, name(stored_name::kPackedCodes),
                               {outputs, words_of(inputs, args_.num_bits)}, at::kInt);
    return unpack_codes(packed, args_.num_bits, inputs);
  }

  const WeightStore& weights_;
  const PlannedLinear& linear_;
  const QuantArgs& args_;
};

}  // namespace

Tensor matrix_of(const WeightStore& weights, const modules::LinearRef& ref) {
  return weights.get(ref.weight_name()).flatten(1);
}

Tensor bias_of(const WeightStore& weights, const modules::LinearRef& ref, at::Device device) {
  return float_bias(weights, ref, device);
}

Tensor bias_of(const WeightStore& weights, const modules::ConvRef& ref, at::Device device) {
  return float_bias(weights, ref, device);
}

GridWeight grid_weight(const WeightStore& weights, const PlannedLinear& linear, at::Device device) {
  const modules::LinearRef& ref = linear.ref;
  return weights.contains(ref.name + stored_name::kScale)
             ? StoredWeight(weights, linear).get().to(device)
             : quantize_weight(modules::to_device(matrix_of(weights, ref), device),
                               ref.weight_site(), linear.weights);
}

GridWeight grid_weight(const WeightStore& weights, const PlannedConv& conv, at::Device device) {
  const modules::ConvRef& ref = conv.ref;
  const std::string scale = ref.name + stored_name::kScale;
  if (weights.contains(scale)) {
    const Tensor codes = read(weights, ref.weight_name(), ref.weight_shape(), at::kChar),
                 scales = read(weights, scale, scale_shape(conv), at::kFloat);
    return GridWeight{.codes = codes.flatten(1), .scale = scales.flatten(), .args = conv.weights}
        .to(device);
  }
  const Tensor matrix = modules::to_device(weights.get(ref.weight_name()), device).flatten(1);
  return quantize_weight(matrix, ref.weight_site(), conv.weights);
}

modules::NamedTensors stored_tensors(const GridWeight& weight, const PlannedLinear& linear) {
  const int num_bits = weight.args.num_bits;
  const std::int64_t outputs = weight.codes.size(0), inputs = weight.codes.size(1);
  Tensor codes = weight.codes;
  modules::NamedTensors tensors{{stored_name::kScale, matrix(weight.scale)}};
  if (weight.zero_point.defined()) {
    const Tensor zero_point = matrix(weight.zero_point);
    codes = (codes.view({outputs, zero_point.size(1), -1}) + zero_point.unsqueeze(2))
                .view({outputs, inputs});
    tensors[stored_name::kZeroPoint] = pack_columns(zero_point, num_bits);
  }
  if (linear.is_packed()) {
    tensors[stored_name::kPackedCodes] = pack_codes(codes, num_bits);
    tensors[stored_name::kShape] = at::tensor({outputs, inputs}, at::kLong);
  } else {
    tensors[stored_name::kCodes] = codes.view(linear.ref.weight_shape());
  }
  return tensors;
}

modules::NamedTensors stored_tensors(const GridWeight& weight, const PlannedConv& conv) {
  return {{stored_name::kCodes, weight.codes.view(conv.ref.weight_shape())},
          {stored_name::kScale, weight.scale.view(scale_shape(conv))}};
}

}  // namespace dualpath::quant
