#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/base/named.h"

namespace dualpath::quant {

/// What shares one scale. The words are compressed-tensors'.
enum class Strategy { kTensor, kChannel, kToken };
inline constexpr Named<Strategy> kStrategies[] = {
    {"tensor", Strategy::kTensor}, {"channel", Strategy::kChannel}, {"token", Strategy::kToken}};

enum class ObserverKind { kMinMax, kMovingAverage };
inline constexpr Named<ObserverKind> kObservers[] = {
    {"minmax", ObserverKind::kMinMax}, {"moving_average", ObserverKind::kMovingAverage}};

/// How one tensor is quantized; the keys of a recipe's `weights` and `input_activations`.
struct QuantArgs {
  int num_bits = 8;
  Strategy strategy = Strategy::kTensor;
  bool symmetric = true;
  bool dynamic = false;  ///< scales are found in each token itself (strategy token), not calibrated
  ObserverKind observer = ObserverKind::kMinMax;  ///< of static scales

  bool operator==(const QuantArgs&) const = default;
};

inline constexpr QuantArgs kWeightInt8{.strategy = Strategy::kChannel};
inline constexpr QuantArgs kInputInt8{.strategy = Strategy::kTensor};
inline constexpr QuantArgs kTokenInt8{.strategy = Strategy::kToken, .dynamic = true};

/// One group of a recipe's `config_groups`.
struct ConfigGroup {
  std::string name;
  std::vector<std::string> targets{
      "Linear"};  ///< "Linear" (all), a module's name, or "re:" and a pattern
  QuantArgs weights = kWeightInt8;
  QuantArgs input_activations = kInputInt8;

  bool operator==(const ConfigGroup&) const = default;
};

/// How planned linears are computed: by the processor's integer kernel, or from sums that are made
/// in whatever way is exact. Codes, sums and results are the same to the bit.
enum class Compute { kInteger, kSimulate };
inline constexpr Named<Compute> kComputes[] = {{"integer", Compute::kInteger},
                                               {"simulate", Compute::kSimulate}};

struct CalibrationOptions {
  std::int64_t num_samples = 32;  ///< windows of the training text, evenly spaced

  bool operator==(const CalibrationOptions&) const = default;
};

struct QuantizeOptions {
  std::vector<ConfigGroup> config_groups{
      {.name = "group_0"}};                    ///< the first that targets a linear counts
  std::vector<std::string> ignore{"lm_head"};  ///< as targets; these stay in float
  CalibrationOptions calibration;

  bool operator==(const QuantizeOptions&) const = default;
};

inline std::string_view name_of(Strategy strategy) { return name_in(kStrategies, strategy); }
inline std::string_view name_of(ObserverKind kind) { return name_in(kObservers, kind); }

}  // namespace dualpath::quant
