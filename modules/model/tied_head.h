#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "modules/config/model_config.h"
#include "modules/weights/weight_store.h"

namespace dualpath::modules {

/// Follows the file where config.json ties the head to the table, as transformers does. A file of
/// both with different values (after a fine-tuning that trained both) unties them in config and
/// config_json, with a line on stderr. A file of the head alone has its table under the head's
/// name. Returns the file's weights, the table under its own name. where: the model, for the
/// message.
std::shared_ptr<const WeightStore> follow_file(std::shared_ptr<const WeightStore> file,
                                               ModelConfig& config, nlohmann::json& config_json,
                                               const std::string& where);

}  // namespace dualpath::modules
