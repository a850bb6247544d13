#pragma once

#include "trainer/prediction.h"

namespace dualpath::trainer {

/// What a recipe will cost for a model of which only config.json is there (modules::open_config):
/// exact bytes of the export and of what a layer saves, and the least that `train` will take of
/// memory: weights, codes, trained tensors, what a step of full windows saves, a chunk of logits.
/// Times would need weights to run with.
Prediction predict_from_config(const Recipe& recipe, const modules::WeightedNetwork& model,
                               const quant::Plan& plan);

}  // namespace dualpath::trainer
