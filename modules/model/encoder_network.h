#pragma once

#include <cstdint>

#include "modules/config/model_config.h"
#include "modules/network/network.h"

namespace dualpath::modules {

/// Returns a tower's encoder alone: its stages up to its last hidden state, before the alignment.
Network encoder_of(const Network& network, const Tower& tower);
/// Returns a tower with its alignment, if it has one.
Network whole_tower_of(const Network& network, const Tower& tower);

/// Returns a network without its decoder's stages: all towers, with their alignments.
Network without_decoder(Network network);

/// Channels of an encoder's hidden state.
std::int64_t encoder_width(const Tower& tower);

}  // namespace dualpath::modules
