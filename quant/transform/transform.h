#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "data/base/named.h"
#include "modules/weights/tensor_view.h"
#include "modules/weights/weight_store.h"
#include "quant/plan/plan.h"

// Transforms: changes of the weights that keep the network's function and make it easier to
// quantize. A plan asks for a list of them, calibration finds what each needs, and stores over
// stores apply them.

namespace dualpath::quant {

/// The kinds of transforms. Their words name rows of the table.
enum class TransformKind { kSmoothing };
inline constexpr Named<TransformKind> kTransforms[] = {{"smoothed", TransformKind::kSmoothing}};

/// Moves the range of inputs into the weights that read them (SmoothQuant).
struct Smoothing {
  /// Factors by tensor group: [channels of the producer] float32, positive.
  modules::NamedTensors factors;
  /// The strengths of the groups that are smoothed; others' factors are 1.
  std::map<std::string, double> strengths;
};

/// The findings of calibration for one transform.
using Transform = std::variant<Smoothing>;
/// Findings in the order in which transforms are applied.
using Transforms = std::vector<Transform>;

/// The transforms that a plan asks for, in the order in which they are applied.
std::vector<TransformKind> transforms_of(const Plan& plan);

/// The name of a Row over the plan's transformed weights, "smoothed". With a correction the name is
/// "smoothed_corrected". Empty if the plan has no transform.
std::string row_prefix(const Plan& plan);

/// Returns `weights` as the plan's quantized path reads them. transforms: of transforms_of(plan).
std::shared_ptr<const modules::WeightStore> transformed(
    std::shared_ptr<const modules::WeightStore> weights, const Plan& plan,
    const Transforms& transforms);

}  // namespace dualpath::quant
