#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "data/base/named.h"
#include "quant/scheme.h"

// Lists the fields of QuantArgs and what each role supports, once. Recipe, quantization_config
// (written and read), fingerprint, messages and the printed plan are visitors of this list.

namespace dualpath::quant {

/// Numbers that run, from low to high, and the ones that a recipe offers.
template <class T, std::size_t N>
struct Supported {
  T low, high;
  Named<T> offered[N];
};

inline constexpr Supported<int, 4> kWeightBits{2, 8, {{"3", 3}, {"4", 4}, {"6", 6}, {"8", 8}}};
inline constexpr Supported<int, 2> kInputBits{4, 8, {{"4", 4}, {"8", 8}}};
inline constexpr Supported<int, 1> kOperandBits{8, 8, {{"8", 8}}};
inline constexpr Supported<std::int64_t, 3> kGroupSizes{
    1, std::numeric_limits<std::int64_t>::max(), {{"32", 32}, {"64", 64}, {"128", 128}}};
inline constexpr std::int64_t kUsualGroupSize = 128;  ///< the size in a recipe that names none

inline constexpr Named<Strategy> kWeightStrategies[] = {{"channel", Strategy::kChannel},
                                                        {"group", Strategy::kGroup}};
inline constexpr Named<Strategy> kInputStrategies[] = {{"tensor", Strategy::kTensor},
                                                       {"token", Strategy::kToken}};
inline constexpr Named<Strategy> kOperandStrategies[] = {{"attn_head", Strategy::kHead}};
inline constexpr Named<bool> kSymmetricAlone[] = {{"true", true}};
inline constexpr Named<bool> kStaticAlone[] = {{"false", false}};

/// Shows the fields in a recipe's order. A visitor hides the functions that it has a use for.
struct ArgsVisitor {
  template <class T, std::size_t N>
  void number(std::string_view /*key*/, T& /*field*/, const Supported<T, N>&) {}
  template <class T, std::size_t N>
  void choice(std::string_view /*key*/, T& /*field*/, const Named<T> (&)[N]) {}
  void boolean(std::string_view /*key*/, bool& /*field*/) {}
  /// Shows a key that has one value and no field.
  void fixed(std::string_view /*key*/, std::string_view /*value*/) {}
  /// Shows a field that has one value in this role. Files may say it, in one of the words or as
  /// null.
  template <class T>
  void implied(std::string_view /*key*/, T& /*field*/, std::vector<std::string_view> /*words*/,
               std::string_view /*expected*/) {}
  /// Shows a field that says nothing beside the others' values.
  template <class T>
  void unused(std::string_view /*key*/, T& /*field*/, std::vector<std::string_view> /*words*/,
              std::string_view /*expected*/) {}
  /// Shows a key without a field, which may say what is done anyway.
  void stated(std::string_view /*key*/, std::vector<std::string_view> /*words*/,
              std::string_view /*expected*/) {}
  /// Shows a condition on several fields.
  void check(bool /*ok*/, const std::string& /*expected*/, const std::string& /*got*/) {}
};

/// Visits the keys of compressed-tensors' schemes for which only one way is computed.
template <class Visitor>
void visit_stated(Visitor& visitor) {
  visitor.stated("actorder", {"false"},
                 "null, since codes are rounded to the nearest in any order");
  visitor.stated("block_structure", {}, "null, since no scale is a block's");
  visitor.stated("observer_kwargs", {"{}"}, "{}, since no observer has arguments");
  visitor.stated("scale_dtype", {"torch.float32"}, "null, since scales are float32");
  visitor.stated("zp_dtype", {"torch.int8"}, "null or torch.int8");
}

template <class Visitor>
void visit_weights(Visitor& visitor, QuantArgs& weights) {
  visitor.number("num_bits", weights.num_bits, kWeightBits);
  visitor.fixed("type", "int");
  visitor.choice("strategy", weights.strategy, kWeightStrategies);
  if (weights.strategy == Strategy::kGroup) {
    visitor.number("group_size", weights.group_size, kGroupSizes);
  } else {
    visitor.unused("group_size", weights.group_size, {"-1"},
                   "nothing, since strategy: channel has no groups");
  }
  visitor.boolean("symmetric", weights.symmetric);
  visitor.check(weights.symmetric || weights.num_bits <= kMostAsymmetricBits,
                "symmetric: true with num_bits: 8", "false");
  visitor.implied("dynamic", weights.dynamic, {"false"}, "false, since weights are quantized once");
  visitor.implied("observer", weights.observer, {"minmax", "static_minmax", "memoryless_minmax"},
                  "minmax, since weights' scales are their largest values'");
  visit_stated(visitor);
}

template <class Visitor>
void visit_inputs(Visitor& visitor, QuantArgs& inputs) {
  visitor.number("num_bits", inputs.num_bits, kInputBits);
  visitor.fixed("type", "int");
  visitor.choice("strategy", inputs.strategy, kInputStrategies);
  visitor.unused("group_size", inputs.group_size, {}, "nothing, since inputs have no groups");
  visitor.choice("symmetric", inputs.symmetric, kSymmetricAlone);
  visitor.boolean("dynamic", inputs.dynamic);
  const bool by_token = inputs.strategy == Strategy::kToken;
  visitor.check(inputs.dynamic == by_token,
                fmt::format("dynamic: {} with strategy: {}", by_token, name_of(inputs.strategy)),
                fmt::to_string(inputs.dynamic));
  if (inputs.dynamic) {
    visitor.unused("observer", inputs.observer, {"memoryless", "memoryless_minmax"},
                   "nothing, since dynamic scales are not observed");
  } else {
    visitor.choice("observer", inputs.observer, kObservers);
  }
  visit_stated(visitor);
}

template <class Visitor>
void visit_operands(Visitor& visitor, QuantArgs& operands) {
  visitor.number("num_bits", operands.num_bits, kOperandBits);
  visitor.fixed("type", "int");
  visitor.choice("strategy", operands.strategy, kOperandStrategies);
  visitor.unused("group_size", operands.group_size, {}, "nothing, since heads have no groups");
  visitor.choice("symmetric", operands.symmetric, kSymmetricAlone);
  visitor.choice("dynamic", operands.dynamic, kStaticAlone);
  visitor.choice("observer", operands.observer, kObservers);
  visit_stated(visitor);
}

template <class Visitor>
void visit(ArgsRole role, Visitor& visitor, QuantArgs& args) {
  switch (role) {
    case ArgsRole::kWeights:
      return visit_weights(visitor, args);
    case ArgsRole::kInputs:
      return visit_inputs(visitor, args);
    case ArgsRole::kOperands:
      return visit_operands(visitor, args);
  }
}

}  // namespace dualpath::quant
