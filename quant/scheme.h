#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/base/named.h"

namespace dualpath::quant {

/// What shares one scale. The words are compressed-tensors'.
enum class Strategy { kTensor, kChannel, kGroup, kToken, kHead };
inline constexpr Named<Strategy> kStrategies[] = {{"tensor", Strategy::kTensor},
                                                  {"channel", Strategy::kChannel},
                                                  {"group", Strategy::kGroup},
                                                  {"token", Strategy::kToken},
                                                  {"attn_head", Strategy::kHead}};

enum class ObserverKind { kMinMax, kMovingAverage };
inline constexpr Named<ObserverKind> kObservers[] = {
    {"minmax", ObserverKind::kMinMax}, {"moving_average", ObserverKind::kMovingAverage}};

/// How one tensor is quantized. quant/visit_args.h lists the fields and what each role supports.
struct QuantArgs {
  int num_bits = 8;
  Strategy strategy = Strategy::kTensor;
  std::int64_t group_size = 0;  ///< inputs that share a scale (strategy group), else 0
  bool symmetric = true;        ///< without a zero point
  bool dynamic = false;  ///< scales are found in each token itself (strategy token), not calibrated
  ObserverKind observer = ObserverKind::kMinMax;  ///< of static scales

  bool operator==(const QuantArgs&) const = default;
};

inline constexpr QuantArgs kWeightInt8{.strategy = Strategy::kChannel};
inline constexpr QuantArgs kInputInt8{.strategy = Strategy::kTensor};
inline constexpr QuantArgs kTokenInt8{.strategy = Strategy::kToken, .dynamic = true};
inline constexpr QuantArgs kHeadInt8{.strategy = Strategy::kHead};

/// What a scheme quantizes: a linear's or convolution's weights, its input, or an operand of an
/// attention.
enum class ArgsRole { kWeights, kInputs, kOperands };

/// With 8 bits and a zero point, a code's distance from it would not fit into a byte.
inline constexpr int kMostAsymmetricBits = 7;

/// Whether an export packs codes, of fewer than 8 bits or met by floats, into int32 words instead
/// of bytes; the words are compressed-tensors' formats.
inline bool is_packed(const QuantArgs& weights, const std::optional<QuantArgs>& inputs) {
  return weights.num_bits < 8 || !inputs;
}
inline constexpr Named<bool> kStoredFormats[] = {{"pack-quantized", true},
                                                 {"int-quantized", false}};

/// One group of a recipe's `config_groups`.
struct ConfigGroup {
  std::string name;
  /// A module's name, "re:" and a pattern, or a class: "Linear" (all, and convolutions of kernel
  /// 1), "Conv1d", "Conv2d", "Conv3d" (but depthwise ones, which only a name targets).
  std::vector<std::string> targets{"Linear"};
  QuantArgs weights = kWeightInt8;
  /// Nothing: inputs stay in the compute dtype, and the weights' values are multiplied in it.
  std::optional<QuantArgs> input_activations = kInputInt8;

  bool operator==(const ConfigGroup&) const = default;
};

/// How planned linears are computed: by the processor's integer kernel, or from sums that are made
/// in whatever way is exact. Codes, sums and results are the same to the bit.
enum class Compute { kInteger, kSimulate };
inline constexpr Named<Compute> kComputes[] = {{"integer", Compute::kInteger},
                                               {"simulate", Compute::kSimulate}};

/// How the gradient of a quantized input is made from the outputs', where the weights are frozen:
/// by an integer product, each row's gradients quantized by a scale of their own, or by the
/// weights' values in the gradients' dtype. (PlannedLinear::takes_integer_gradients says for which
/// linears.)
enum class InputGradients { kInt8, kFloat };
inline constexpr Named<InputGradients> kInputGradients[] = {{"int8", InputGradients::kInt8},
                                                            {"float", InputGradients::kFloat}};

/// Of a static input of the decoder: whether all its rows share a scale, or those of each modality
/// that positions stand for have their own. Those of the head and attention's operands share
/// theirs.
enum class ModalityScales { kShared, kSeparate };
inline constexpr Named<ModalityScales> kModalityScales[] = {
    {"shared", ModalityScales::kShared}, {"separate", ModalityScales::kSeparate}};

/// What an export may say. kCompressedTensors: what any reader of that format runs alike; a plan
/// that it has no word for is refused. kDualPath: the same files with the rest in dualpath.json,
/// and a quant_method of its own, so that readers who would not look there refuse it.
enum class ExportFormat { kCompressedTensors, kDualPath };
inline constexpr Named<ExportFormat> kExportFormats[] = {
    {"compressed-tensors", ExportFormat::kCompressedTensors},
    {"dualpath", ExportFormat::kDualPath}};

struct CalibrationOptions {
  std::int64_t num_samples = 32;  ///< windows of the training text, evenly spaced

  bool operator==(const CalibrationOptions&) const = default;
};

/// SmoothQuant (Xiao et al. 2023, section 4): factor = max|x|^strength / max|w|^(1 - strength) of
/// each channel of an input moves its range into the weight.
struct SmoothingOptions {
  double strength = 0.75;  ///< 0 to 1: how much of an input's range the weight takes over
  /// Instead of one strength, each tensor group's own: the one that errs least on some windows.
  bool search = false;

  bool operator==(const SmoothingOptions&) const = default;
};

struct QuantizeOptions {
  std::vector<ConfigGroup> config_groups{
      {.name = "group_0"}};                    ///< the first that targets a linear counts
  std::vector<std::string> ignore{"lm_head"};  ///< as targets; these stay in float
  /// Keys and values of every causal attention, as a cache holds them.
  std::optional<QuantArgs> kv_cache_scheme;
  /// All four operands of the attentions that are not ignored: keys, values, queries and
  /// probabilities, so that both products are of integers. Those that are not causal must be.
  std::optional<QuantArgs> attention_scheme;
  ModalityScales modality_scales = ModalityScales::kShared;
  /// By site, the weight or input of a linear or convolution that a config group targets: what
  /// takes the place of the group's scheme.
  std::map<std::string, QuantArgs> overrides;
  CalibrationOptions calibration;
  std::optional<SmoothingOptions> smoothing;

  bool operator==(const QuantizeOptions&) const = default;
};

inline std::string_view name_of(Strategy strategy) { return name_in(kStrategies, strategy); }
inline std::string_view name_of(ObserverKind kind) { return name_in(kObservers, kind); }

}  // namespace dualpath::quant
