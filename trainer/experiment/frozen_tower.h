#pragma once

#include "modules/model/model.h"
#include "trainer/train/frozen_towers.h"

namespace dualpath::trainer {

/// Names a tower that is not trained by a fingerprint: SHA-256 of the configuration, the dtype, the
/// stages' names and the weights. Reads these. with_alignment: takes in the alignment that the
/// tower has.
FrozenTower frozen_tower(const modules::Model& model, const modules::Tower& tower,
                         bool with_alignment, at::ScalarType dtype);

}  // namespace dualpath::trainer
