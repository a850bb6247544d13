#pragma once

#include "modules/config/vit_config.h"
#include "modules/network/network.h"

namespace dualpath::modules {

/// The image encoder, with stages of the stream kImage. Goes from pixels [B, 3, H, W], whose sides
/// patches divide, to hidden states [B, 1 + patches, hidden_size], the class token first. If images
/// have another size than the config's, positions are interpolated. `prefix` stands before every
/// name ("model.vision."). The head is the class token's classifier, if there is one.
Network make_vit(const VitConfig& config, const std::string& prefix = "");

}  // namespace dualpath::modules
