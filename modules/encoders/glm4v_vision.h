#pragma once

#include <string>

#include "modules/config/glm4v_vision_config.h"
#include "modules/network/network.h"

namespace dualpath::modules {

/// GLM-4.1V's vision tower, stages of the stream kImage. The stream's input is [images, T,
/// patch_values()]: each image's patches, T in the largest, each as [channels, frames, rows,
/// columns]. Patches go by merged squares, so that a square's lie side by side. Mask [images, T]
/// and grid say which are real. Images may have different sizes; none depends on the others.
/// Result: [images, T / merge², out_hidden_size]. `prefix` stands before every name
/// ("model.visual.").
Network make_glm4v_vision(const Glm4vVisionConfig& config, const std::string& prefix);

}  // namespace dualpath::modules
