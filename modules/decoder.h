#pragma once

#include <string>
#include <vector>

#include "modules/decoder_config.h"
#include "modules/network.h"
#include "modules/placeholders.h"

namespace dualpath::modules {

/// What a checkpoint calls a decoder: the path of its body, and its head.
struct DecoderNames {
  std::string body = "model", head = "lm_head";
};

/// The decoder's stages (embedding, layers, final norm) and head, under Hugging Face's names. It
/// goes behind the towers that placeholders stand for.
Network make_decoder(const DecoderConfig& config, const DecoderNames& names = {},
                     const std::vector<Placeholder>& placeholders = {});

}  // namespace dualpath::modules
