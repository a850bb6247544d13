#pragma once

#include "trainer/predict/prediction.h"

namespace dualpath::trainer {

/// What a recipe will cost for a model of which only config.json is there (modules::open_config).
/// Exact: the export's bytes and what a layer saves. Peak memory is the least that `train` takes:
/// weights, codes, what is trained, what a step of full windows saves, a chunk of logits. Times
/// would need weights to run with.
Prediction predict_from_config(const Recipe& recipe, const modules::WeightedNetwork& model,
                               const quant::Plan& plan);

}  // namespace dualpath::trainer
