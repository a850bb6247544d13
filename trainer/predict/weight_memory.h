#pragma once

#include "modules/model/model.h"
#include "quant/plan/plan.h"
#include "trainer/recipe/options.h"

namespace dualpath::trainer {

/// Bytes of weights that `train` keeps beside the model file's pages, which count as resident: the
/// reference's where computing makes copies of what the file holds (and the pages of what was
/// copied leave); of the quantized path its codes, twice where they are packed too, and what the
/// gradient flows back through.
double weight_bytes(const Recipe& recipe, const quant::Plan& plan,
                    const modules::WeightStore& weights);

/// The head's packed table: one for the way forward, one for the way back, where the reference's
/// is also the quantized path's.
double table_bytes(const Recipe& recipe, const modules::Head& head,
                   const modules::WeightStore& weights);

/// Of a trained parameter: it is there in float32 with gradient and two moments.
inline constexpr double kBytesOfTrained = 4 * sizeof(float);

/// Of the weights that the store calls trained.
double trained_bytes(const modules::WeightStore& weights);

/// Of all corrections that the recipe trains.
std::int64_t correction_parameters(const Recipe& recipe, const quant::Plan& plan);

}  // namespace dualpath::trainer
