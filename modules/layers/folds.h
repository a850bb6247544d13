#pragma once

#include <cstdint>

#include "modules/network/network.h"

namespace dualpath::modules {

/// Folds a norm's channels into the linears that read them, and its bias with its weight.
ChannelFold fold(const NormRef& norm, const LinearRefs& consumers);

/// Folds the last `channels` outputs of a linear: a fused gate and up_proj ends with up's, a fused
/// qkv with v's.
ChannelFold fold(const LinearRef& producer, std::int64_t channels, const LinearRefs& consumers);

}  // namespace dualpath::modules
