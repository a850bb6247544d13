#pragma once

#include <vector>

#include "modules/config/decoder_config.h"
#include "modules/network/network.h"

namespace dualpath::modules {

/// The decoder's stages (embedding, layers, final norm) and head, under Hugging Face's names. It
/// goes behind the towers that placeholders stand for.
Network make_decoder(const DecoderConfig& config, const DecoderNames& names = {},
                     const std::vector<Placeholder>& placeholders = {});

}  // namespace dualpath::modules
