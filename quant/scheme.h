#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/base/named.h"

namespace dualpath::quant {

/// The values that share one scale. The words are compressed-tensors'.
enum class Strategy { kTensor, kChannel, kGroup, kToken, kHead };
inline constexpr Named<Strategy> kStrategies[] = {{"tensor", Strategy::kTensor},
                                                  {"channel", Strategy::kChannel},
                                                  {"group", Strategy::kGroup},
                                                  {"token", Strategy::kToken},
                                                  {"attn_head", Strategy::kHead}};

enum class ObserverKind { kMinMax, kMovingAverage };
inline constexpr Named<ObserverKind> kObservers[] = {
    {"minmax", ObserverKind::kMinMax}, {"moving_average", ObserverKind::kMovingAverage}};

/// The quantization of one tensor. quant/visit_args.h lists the fields and what each role supports.
struct QuantArgs {
  int num_bits = 8;
  Strategy strategy = Strategy::kTensor;
  std::int64_t group_size = 0;  ///< inputs that share a scale (strategy group), else 0
  bool symmetric = true;        ///< no zero point
  bool dynamic = false;  ///< finds scales in each token itself (strategy token); not calibrated
  ObserverKind observer = ObserverKind::kMinMax;  ///< observer of static scales

  bool operator==(const QuantArgs&) const = default;
};

inline constexpr QuantArgs kWeightInt8{.strategy = Strategy::kChannel};
inline constexpr QuantArgs kInputInt8{.strategy = Strategy::kTensor};
inline constexpr QuantArgs kTokenInt8{.strategy = Strategy::kToken, .dynamic = true};
inline constexpr QuantArgs kHeadInt8{.strategy = Strategy::kHead};

/// The tensor that a scheme quantizes: a linear's or convolution's weights, its input, or an
/// operand of an attention.
enum class ArgsRole { kWeights, kInputs, kOperands };

/// The most bits with a zero point: with 8, a code's distance from it would not fit into a byte.
inline constexpr int kMostAsymmetricBits = 7;

/// Whether an export packs codes into int32 words instead of bytes: codes of fewer than 8 bits, or
/// met by floats. The words are compressed-tensors' formats.
inline bool is_packed(const QuantArgs& weights, const std::optional<QuantArgs>& inputs) {
  return weights.num_bits < 8 || !inputs;
}
inline constexpr Named<bool> kStoredFormats[] = {{"pack-quantized", true},
                                                 {"int-quantized", false}};

/// One group of a recipe's `config_groups`.
struct ConfigGroup {
  std::string name;
  /// Each a module's name, "re:" and a pattern, or a class. "Linear" targets all linears and
  /// convolutions of kernel 1. "Conv1d", "Conv2d" and "Conv3d" leave out depthwise ones, which only
  /// a name targets.
  std::vector<std::string> targets{"Linear"};
  QuantArgs weights = kWeightInt8;
  /// If absent, inputs stay in the compute dtype, and the weights' values are multiplied in it.
  std::optional<QuantArgs> input_activations = kInputInt8;

  bool operator==(const ConfigGroup&) const = default;
};

/// The way planned linears are computed: by the processor's integer kernel, or from sums made in
/// any way that is exact. Codes, sums and results are the same to the bit.
enum class Compute { kInteger, kSimulate };
inline constexpr Named<Compute> kComputes[] = {{"integer", Compute::kInteger},
                                               {"simulate", Compute::kSimulate}};

/// The product that makes a quantized input's gradient from the outputs', if the weights are
/// frozen. kInt8: an integer product; each row's gradients are quantized by a scale of their own.
/// kFloat: a product with the weights' values in the gradients' dtype.
/// PlannedLinear::takes_integer_gradients tells which linears may use kInt8.
enum class InputGradients { kInt8, kFloat };
inline constexpr Named<InputGradients> kInputGradients[] = {{"int8", InputGradients::kInt8},
                                                            {"float", InputGradients::kFloat}};

/// The number of static scales of a decoder input: one for all rows, or one per modality that
/// positions stand for. The rows of the head's input always share one scale, as do those of
/// attention's operands.
enum class ModalityScales { kShared, kSeparate };
inline constexpr Named<ModalityScales> kModalityScales[] = {
    {"shared", ModalityScales::kShared}, {"separate", ModalityScales::kSeparate}};

/// The content that an export may have. kCompressedTensors: only what any reader of that format
/// runs alike; a plan that it has no word for is refused. kDualPath: the same files, with the rest
/// in dualpath.json. It has a quant_method of its own, so that readers who would not look there
/// refuse it.
enum class ExportFormat { kCompressedTensors, kDualPath };
inline constexpr Named<ExportFormat> kExportFormats[] = {
    {"compressed-tensors", ExportFormat::kCompressedTensors},
    {"dualpath", ExportFormat::kDualPath}};

struct CalibrationOptions {
  std::int64_t num_samples = 32;  ///< windows of the training text, evenly spaced
  /// Calibrates a decoder that reads pictures or clips on samples of text alone; its towers on the
  /// others. Positions of pictures are then quantized by ranges that never saw one.
  bool text_only = false;

  bool operator==(const CalibrationOptions&) const = default;
};

/// The options of SmoothQuant (Xiao et al. 2023, section 4). The factor max|x|^strength / max|w|^(1
/// - strength) of each channel of an input moves its range into the weight.
struct SmoothingOptions {
  double strength = 0.75;  ///< share of an input's range that the weight takes over, 0 to 1
  /// Gives each tensor group a strength of its own: the one that errs least on some windows.
  bool search = false;

  bool operator==(const SmoothingOptions&) const = default;
};

struct QuantizeOptions {
  std::vector<ConfigGroup> config_groups{
      {.name = "group_0"}};                    ///< a linear takes the first that targets it
  std::vector<std::string> ignore{"lm_head"};  ///< targets that stay in float
  /// Quantizes keys and values of every causal attention, as a cache holds them.
  std::optional<QuantArgs> kv_cache_scheme;
  /// Quantizes all four operands of the attentions that are not ignored: keys, values, queries and
  /// probabilities. Both products are then of integers. Attentions that are not causal must be
  /// ignored.
  std::optional<QuantArgs> attention_scheme;
  ModalityScales modality_scales = ModalityScales::kShared;
  /// Schemes of single weights or inputs, by site. They take the place of the config group's
  /// scheme; a config group must target the linear or convolution.
  std::map<std::string, QuantArgs> overrides;
  CalibrationOptions calibration;
  std::optional<SmoothingOptions> smoothing;

  /// The options that leave everything in float.
  static QuantizeOptions nothing() {
    QuantizeOptions options;
    options.config_groups.clear();
    options.ignore.clear();
    return options;
  }
  bool is_nothing() const { return config_groups.empty() && !kv_cache_scheme && !attention_scheme; }

  bool operator==(const QuantizeOptions&) const = default;
};

inline std::string_view name_of(Strategy strategy) { return name_in(kStrategies, strategy); }
inline std::string_view name_of(ObserverKind kind) { return name_in(kObservers, kind); }

}  // namespace dualpath::quant
