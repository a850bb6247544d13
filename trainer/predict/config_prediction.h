#pragma once

#include "trainer/predict/prediction.h"

namespace dualpath::trainer {

/// Predicts a recipe's cost for a model that has only a config.json (modules::open_config). The
/// export's bytes and a layer's saved bytes are exact. Peak memory is the least that `train` takes:
/// weights, codes, trained parameters, a step's saved bytes with full windows, and a chunk of
/// logits. Times would need weights to run with.
Prediction predict_from_config(const Recipe& recipe, const modules::WeightedNetwork& model,
                               const quant::Plan& plan);

/// Bytes that `train` takes at least in each of so many processes, as there, beside what a process
/// holds before: end to end, or with Strategy::kBlockwise block by block.
double training_bytes(const Recipe& recipe, const modules::WeightedNetwork& model,
                      const quant::Plan& plan, int processes = 1);

}  // namespace dualpath::trainer
