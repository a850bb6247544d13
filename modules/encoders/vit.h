#pragma once

#include "modules/config/vit_config.h"
#include "modules/network/network.h"

namespace dualpath::modules {

/// The image encoder. Its stages work on the stream kImage: from pixels [B, 3, H, W], whose sides
/// patches divide, to hidden states [B, 1 + patches, hidden_size], the class token first. Images of
/// other sizes than the config's have their positions interpolated. `prefix` stands before every
/// name ("model.vision."). The head is the classifier, if there is one: of the class token.
Network make_vit(const VitConfig& config, const std::string& prefix = "");

}  // namespace dualpath::modules
