#pragma once

#include "modules/network.h"
#include "modules/weight_store.h"
#include "quant/plan.h"
#include "trainer/options.h"

namespace dualpath::trainer {

/// Bytes of weights that `train` keeps beside the model file's pages, which count as resident: the
/// reference's where computing makes copies of what the file holds; of the quantized path its
/// codes, twice where they are packed too, and what the gradient flows back through.
double weight_bytes(const Recipe& recipe, const quant::Plan& plan,
                    const modules::WeightStore& weights);

/// The head's packed table: one for the way forward, one for the way back, where the reference's
/// is also the quantized path's.
double table_bytes(const Recipe& recipe, const modules::Head& head,
                   const modules::WeightStore& weights);

/// Trained weights are there in float32 with gradient and two moments.
double trained_bytes(const modules::WeightStore& weights);

}  // namespace dualpath::trainer
