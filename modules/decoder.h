#pragma once

#include "modules/decoder_config.h"
#include "modules/network.h"

namespace dualpath::modules {

/// The decoder's stages (embedding, layers, final norm) and head, under Hugging Face's names.
Network make_decoder(const DecoderConfig& config);

}  // namespace dualpath::modules
