#pragma once

#include <functional>
#include <string>

#include "modules/model/model.h"
#include "quant/plan/plan.h"
#include "trainer/recipe/options.h"

namespace dualpath::trainer {

/// Whether a tensor or module counts, by its name.
using Counted = std::function<bool(const std::string&)>;
inline const Counted kAllCounted = [](const std::string&) { return true; };

/// Bytes of weights that `train` keeps beside the model file's pages, which count as resident. They
/// are the reference's copies, if computing makes any (the pages of copied weights leave); the
/// quantized path's codes, twice if they are prepared, too; and the weights that the gradient flows
/// back through. A device other than the CPU shares no page with the file: all weights count.
double weight_bytes(const Recipe& recipe, const quant::Plan& plan,
                    const modules::WeightStore& weights, const Counted& counted = kAllCounted);

/// Bytes of the head's prepared table: one for the way forward, one for the way back. The
/// reference's is also the quantized path's. Where bfloat16 is multiplied by way of float32, those
/// of what is copied at a time.
double table_bytes(const Recipe& recipe, const modules::Head& head,
                   const modules::WeightStore& weights);

/// Bytes of a trained parameter: float32, with gradient and two moments.
inline constexpr double kBytesOfTrained = 4 * sizeof(float);

/// Bytes of the weights that the store calls trained.
double trained_bytes(const modules::WeightStore& weights, const Counted& counted = kAllCounted);

/// Counts the parameters of all corrections that the recipe trains.
std::int64_t correction_parameters(const Recipe& recipe, const quant::Plan& plan);

}  // namespace dualpath::trainer
