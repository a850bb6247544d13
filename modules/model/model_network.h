#pragma once

#include <map>
#include <string>

#include "modules/config/model_config.h"
#include "modules/network/network.h"

namespace dualpath::modules {

/// The towers' stages, then the decoder's.
Network make_network(const ModelConfig& config);

/// Names that a network reads, and under which a checkpoint has them. See TiedWeights.
std::map<std::string, std::string> aliases_of(const ModelConfig& config);

}  // namespace dualpath::modules
