#pragma once

#include <map>
#include <string>

#include "modules/config/model_config.h"
#include "modules/network/network.h"

namespace dualpath::modules {

/// Makes a network of the towers' stages, then the decoder's.
Network make_network(const ModelConfig& config);

/// The names that a network reads, each with the checkpoint's name. See TiedWeights.
std::map<std::string, std::string> aliases_of(const ModelConfig& config);

}  // namespace dualpath::modules
