#pragma once

#include <vector>

#include "modules/execute/gradient_checkpointing.h"
#include "trainer/train/optimizer.h"

namespace dualpath::trainer {

/// The way in which a path's stages run, by `train.gradient_checkpointing`. The names in `groups`
/// tell what each stage trains: a kind ("correction", "scale", "weight"), a dot, the module's path.
modules::GradientCheckpointing checkpointing_of(const std::vector<ParameterGroup>& groups, bool on);

}  // namespace dualpath::trainer
